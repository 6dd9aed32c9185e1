/** A process that could do harm, or nothing at all, refuses to start and logs why. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { describe, expect, inject, test } from 'vitest'
import { launch } from '../deploy/local/service.ts'
import { type ServiceName, serviceNames } from '../platform/config.ts'
import { withDatabase } from './harness/database.ts'
import { useSystem } from './harness/system.ts'

const system = useSystem({ partitions: 8, started: false })

describe.concurrent.each(serviceNames)('%s', (service) => {
  test('refuses to start with another number of partitions than its database has', async () => {
    const { code, said } = await run(service, { PARTITIONS: '16' })
    expect(code).toBe(1)
    expect(said).toMatch(/PARTITIONS is 16.* migrated with 8/)
    expect(said.trim().split('\n')).toHaveLength(1)
    expect(said).not.toContain('setup.ts')
  })

  test('refuses to start on a database that is not migrated', async () => {
    const { code, said } = await run(service, {
      DATABASE_URL: withDatabase(inject('postgresUrl'), 'postgres'),
    })
    expect(code).toBe(1)
    expect(said).toContain('npm run migrate')
    expect(said).not.toContain('setup.ts')
  })

  test('refuses to start without a reachable database', async () => {
    const { code, said } = await run(service, { DATABASE_URL: 'postgres://nobody:secret@127.0.0.1:1/none' })
    expect(code).toBe(1)
    expect(said).toContain('127.0.0.1:1')
    expect(said).not.toContain('secret')
  })
})

/** Runs a service on the system's database until it ends. */
async function run(
  service: ServiceName,
  env: Record<string, string>,
): Promise<{ code: number; said: string }> {
  const databaseUrl = withDatabase(inject('postgresUrl'), system().redisPrefix)
  const settings = {
    DATABASE_URL: databaseUrl,
    REDIS_URL: system().redisUrl,
    REDIS_PREFIX: system().redisPrefix,
    PARTITIONS: '8',
    HOST: '127.0.0.1',
    PORT: '0',
    ...env,
  }
  const { command, args, cwd, env: all } = launch({ runtime: 'node', service, settings })
  const child = spawn(command, args, {
    cwd,
    env: { PATH: process.env.PATH, ...all },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const killer = setTimeout(() => child.kill('SIGKILL'), 25_000)
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  clearTimeout(killer)
  return { code, said: out + err }
}
