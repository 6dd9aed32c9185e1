/**
 * `npm run versions`: the contract with the stores on every version of them that this machine has or can be brought.
 * Also of servers elsewhere: `POSTGRES_BINS` names folders of programs, `REDIS_SERVERS` servers, with colons between.
 */
import { join } from 'node:path'
import { root } from '../local/root.ts'
import { runSteps } from '../local/steps.ts'
import { postgresServers, redisServers } from './servers.ts'

const found = [...postgresServers(), ...redisServers()]
console.log(`Beside the Postgres that is brought: ${found.map((it) => it.name).join(', ')}`)
const vitest = join(root, 'node_modules', '.bin', 'vitest')
const command: [string, ...string[]] = [
  vitest,
  'run',
  '--maxWorkers=1',
  'deploy/versions',
  ...process.argv.slice(2),
]
process.exitCode = await runSteps([{ name: 'versions', command }])
