/**
 * `npm run versions`: the contract with the stores on every version that this machine has or that can be installed. For servers
 * elsewhere: `POSTGRES_BINS` lists folders of programs, `REDIS_SERVERS` server programs, separated by colons.
 */
import { join } from 'node:path'
import { root } from '../local/root.ts'
import { runSteps } from '../local/steps.ts'
import { postgresServers, redisServers } from './servers.ts'

const found = [...postgresServers(), ...redisServers()]
console.log(`Besides the embedded Postgres: ${found.map((it) => it.name).join(', ')}`)
const vitest = join(root, 'node_modules', '.bin', 'vitest')
const command: [string, ...string[]] = [
  vitest,
  'run',
  '--maxWorkers=1',
  'deploy/versions',
  ...process.argv.slice(2),
]
process.exitCode = await runSteps([{ name: 'versions', command }])
