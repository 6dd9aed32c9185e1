/** No process prints a password from a setting, however invalid the setting is, or whatever the server answers. */
import { execFile } from 'node:child_process'
import { Redis } from 'ioredis'
import { expect, inject, test } from 'vitest'
import { compileCache } from '../deploy/local/service.ts'
import { processNames } from '../platform/config.ts'
import { eventually } from './doubles/eventually.ts'
import { OwnServer } from './doubles/own-server.ts'
import { startOwnSystem } from './harness/system.ts'

const root = new URL('..', import.meta.url)
const secret = 's3cret'

const commands = [
  'actors/stock/main.ts',
  'actors/notifier/main.ts',
  'deploy/ops/migrate.ts',
  'deploy/ops/inspect.ts',
  'deploy/ops/dead-letters.ts list --service stock',
  'deploy/ops/await-migration.ts stock',
  'deploy/local/start.ts',
]

test.for(commands)('invalid settings are reported by their names alone: %s', async (command) => {
  const { code, output } = await run(command, {
    DATABASE_URL: `postgres://stock:${secret}#word@127.0.0.1:1/x`,
    REDIS_URL: `redis+cluster://:${secret}%word@127.0.0.1:1`,
    SMTP_URL: `smtp://books:${secret}#word@127.0.0.1:2525`,
    CHAT_WEBHOOK_URL: `https://books:${secret}/word@127.0.0.1/hook`,
    ALERT_TOKEN: `${secret}\n${secret}${secret}${secret}`,
  })
  const own = /notifier|start/.test(command) ? ['SMTP_URL', 'CHAT_WEBHOOK_URL', 'ALERT_TOKEN'] : []
  for (const name of ['DATABASE_URL', 'REDIS_URL', ...own])
    expect(output).toMatch(new RegExp(`${name} (must|has) `))
  expect(output).not.toMatch(/s3cret|@127|DeprecationWarning|node:internal/)
  expect(code).toBe(1)
})

test.for(['actors/stock/main.ts', 'deploy/ops/migrate.ts', 'deploy/ops/inspect.ts', 'deploy/local/start.ts'])(
  'a password that Postgres rejects is not printed: %s',
  async (command) => {
    const url = new URL(inject('postgresUrl'))
    url.password = secret
    const { code, output } = await run(command, { DATABASE_URL: url.href, REDIS_URL: inject('redisUrl') })
    expect(output).toContain('password authentication failed')
    expect(output).not.toContain(secret)
    expect(code).toBe(1)
  },
)

test.for(['redis', 'redis+cluster'])(
  'a password that Redis rejects is not printed, with %s',
  async (scheme, context) => {
    await using redis = await OwnServer.redis()
    const admin = new Redis(redis.url)
    await admin.config('SET', 'requirepass', 'another')
    admin.disconnect()
    const url = redis.url.replace('redis://', `${scheme}://:${secret}@`)
    const env = { REDIS_URL: url, LOG_LEVEL: 'trace', DEBUG: '*' }
    await using system = await startOwnSystem(context, { reservation: 0, notifier: 0, env })
    const [stock] = system.processes.stock
    await eventually(() => stock!.tail().includes('"reason":"WRONGPASS'))
    await eventually(() => stock!.tail().includes('starting over'))
    expect(stock!.tail(1_000)).not.toContain(secret)
  },
)

function run(command: string, settings: Record<string, string>) {
  const env = {
    PATH: process.env.PATH,
    ...compileCache,
    PORT: '0',
    ...Object.fromEntries(
      processNames.flatMap((it) => [`${it}_PORT`, `${it}_OPS_PORT`].map((name) => [name.toUpperCase(), '0'])),
    ),
  }
  return new Promise<{ code: unknown; output: string }>((resolve) =>
    execFile(
      process.execPath,
      command.split(' '),
      { cwd: root, env: { ...env, ...settings }, timeout: 25_000 },
      (error, stdout, stderr) => resolve({ code: error ? error.code : 0, output: stdout + stderr }),
    ),
  )
}
