/** `npm start` from the outside: a process, its output, its exit code, and what it leaves behind. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { hostname, networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest'
import { storeFolder } from '../../tests/doubles/store-folder.ts'
import { statusOf } from './address.ts'
import { type Child, startChild } from './processes/child.ts'
import { freePort } from './processes/free-port.ts'
import { commandLine } from './processes/orphan.ts'
import { findProgram } from './processes/program.ts'
import { root } from './root.ts'
import { compileCache, programOf } from './service.ts'
import { toSettings } from './settings.ts'

const startMaxMs = 60_000

let dir: string
const started: Child[] = []
beforeAll(async () => {
  dir = await storeFolder('start')
})
afterAll(async () => {
  await Promise.all(started.map((child) => child.stop()))
  await rm(dir, { recursive: true, force: true })
}, startMaxMs)

const anyPorts = {
  RESERVATION_PORT: '0',
  STOCK_PORT: '0',
  NOTIFIER_PORT: '0',
  RESERVATION_OPS_PORT: '0',
  STOCK_OPS_PORT: '0',
  NOTIFIER_OPS_PORT: '0',
  WEB_PORT: '0',
  WEB_OPS_PORT: '0',
  PROVIDER_PORT: '0',
}

const namespaces = ['unshare', '--pid', '--ipc', '--mount-proc', '--fork', '--kill-child']
const canUnshare = succeeds([...namespaces, 'true'])

function succeeds([command, ...args]: string[]): boolean {
  try {
    execFileSync(command!, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

async function start(env: NodeJS.ProcessEnv = {}, args: string[] = [], around: string[] = []) {
  const lines: string[] = []
  const [command, ...rest] = [...around, process.execPath, join(root, 'deploy/local/start.ts'), ...args]
  const child = await startChild({
    name: 'npm start',
    command: command!,
    args: rest,
    cwd: root,
    env: { PATH: process.env.PATH, ...compileCache, DATA_DIR: join(dir, 'data'), ...anyPorts, ...env },
    graceMs: 20_000,
    onLine: (line) => lines.push(line),
  })
  started.push(child)
  return { child, lines }
}

/** Resolves with their URLs when all three services are ready. */
async function ready(child: Child): Promise<Record<'reservation' | 'stock' | 'notifier', string>> {
  await child.line(/Ctrl-C stops everything/, startMaxMs).catch((error: Error) => {
    throw new Error(`${error.message}:\n${child.tail().join('\n')}`)
  })
  const urls = child.tail().map((line) => line.match(/^ {2}(reservation|stock|notifier) +(http:\S+)/))
  return Object.fromEntries(urls.filter((it) => it !== null).map((it) => [it[1], it[2]]))
}

/** @returns what `npm run seed` prints. */
async function seed(): Promise<string[]> {
  const script = join(root, 'deploy/seed/main.ts')
  const env = { PATH: process.env.PATH, ...compileCache, DATA_DIR: join(dir, 'data') }
  const child = await startChild({ command: process.execPath, args: [script], env })
  expect(await child.exited, child.tail().join('\n')).toEqual({ code: 0, signal: null })
  return child.tail()
}

const post = (url: string, body: object) =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', prefer: 'wait=10' },
    body: JSON.stringify(body),
  })

const json = async (response: Response | Promise<Response>) => (await response).json() as Promise<unknown>

const allGone = async (pids: number[]) => (await Promise.all(pids.map(commandLine))).join('') === ''

async function descendants(pid: number): Promise<number[]> {
  const own = (await children(pid)).filter((it) => it > 0)
  return [pid, ...(await Promise.all(own.map(descendants))).flat()]
}

async function children(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return text.trim().split(' ').map(Number)
}

/** Attaches to an inspector as a debugger does. @returns the value of the expression there. */
async function evaluate(port: number, expression: string): Promise<unknown> {
  const [target] = (await json(fetch(`http://127.0.0.1:${port}/json/list`))) as {
    webSocketDebuggerUrl: string
  }[]
  const socket = new WebSocket(target!.webSocketDebuggerUrl)
  await once(socket, 'open')
  socket.send(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression } }))
  const [{ data }] = await once(socket, 'message')
  socket.close()
  return JSON.parse(data).result.result.value
}

/** In sequence, each on the system that the previous test left. */
describe.sequential('a system', () => {
  let system: Awaited<ReturnType<typeof start>>
  let urls: Awaited<ReturnType<typeof ready>>
  let inspectPort: number
  let reservationid: string

  test('works once it says that it is ready', async () => {
    system = await start()
    urls = await ready(system.child)
    expect((await post(`${urls.stock}/stocks`, { bookid: '1', qty: 3 })).status).toBe(201)
    const reserved = await json(post(`${urls.reservation}/reservations`, { bookid: '1', userid: 'test1' }))
    expect(reserved).toMatchObject({ status: 'Reserved' })
    reservationid = (reserved as { reservationid: string }).reservationid
  }, 60_000)

  test('is found and filled with 200 books by npm run seed, once', async () => {
    const first = await seed()
    expect(first.join('\n')).toContain('Received 200 books with 519 copies; 0 books were there before.')
    const search = async (q: string) => json(fetch(`${urls.reservation}/books?q=${encodeURIComponent(q)}`))
    const found = (await search('한강')) as { _embedded: { books: { bookid: string }[] } }
    expect(found._embedded.books.map(({ bookid }) => bookid)).toContain('sonyeoni-onda')
    const hobbit = await json(fetch(`${urls.stock}/stocks/the-hobbit`))
    const again = await seed()
    expect(again.join('\n')).toContain('Received 0 books with 0 copies; 200 books were there before.')
    expect(await json(fetch(`${urls.stock}/stocks/the-hobbit`))).toEqual(hobbit)
  })

  test('has exclusive use of its folder: a second start fails with one line', async () => {
    const second = await start()
    expect(await second.child.exited).toEqual({ code: 1, signal: null })
    expect(second.lines).toEqual([
      `Cannot start: ${dir}/data is in use by another npm start, process ${system.child.pid} on ${hostname()}; set DATA_DIR to run a second one`,
    ])
    expect((await fetch(`${urls.stock}/readyz`)).status).toBe(200)
  })

  test('has exclusive use of its folder across namespaces, and keeps its data', async (context) => {
    context.skip(!canUnshare, 'this machine does not allow namespaces')
    const second = await start({}, [], namespaces)
    expect(await second.child.exited).toMatchObject({ code: 1 })
    expect(second.lines).toEqual([expect.stringContaining('data is in use by another npm start')])
    for (const qty of [10, 20]) {
      const received = await json(post(`${urls.stock}/stocks`, { bookid: 'shared', qty: 10 }))
      expect(received).toMatchObject({ qty })
    }
  }, 60_000)

  test('restarts a service and the servers when they are killed', async () => {
    const killed = [/actors\/stock\/main\.ts/, /redis-server/, /bin\/postgres -c/]
    for (const pid of await children(system.child.pid)) {
      const command = await commandLine(pid)
      if (killed.some((pattern) => pattern.test(command))) process.kill(pid, 'SIGKILL')
    }
    for (const name of ['stock', 'Redis', 'Postgres']) {
      await vi.waitUntil(() => system.lines.some((line) => line.includes(`${name} is running again`)), 20_000)
    }
    expect(system.lines.join('\n')).toContain('stock exited with SIGKILL; restarting it in 250 ms')
    await vi.waitUntil(async () => (await fetch(`${urls.stock}/readyz`)).ok, 20_000)
    const received = async () => (await post(`${urls.stock}/stocks`, { bookid: '2', qty: 1 })).status === 201
    await vi.waitUntil(received, 20_000)
  }, 60_000)

  test('O4: stops without a trace at Ctrl-C, and keeps its folder until its servers have ended', async () => {
    const pids = await children(system.child.pid)
    expect(pids.length).toBeGreaterThanOrEqual(5)
    const commands = await Promise.all(pids.map(commandLine))
    const those = (pattern: RegExp) => pids.filter((_, i) => pattern.test(commands[i]!))
    const [last] = those(/bin\/postgres -c/)
    const lock = () => readFile(join(dir, 'data/start.lock'), 'utf8')
    process.kill(last!, 'SIGSTOP')
    system.child.kill('SIGINT')
    await vi.waitUntil(() => allGone(those(/main\.ts|redis-server/)), 10_000)
    expect(await lock()).toContain(`"pid":${system.child.pid}`)
    process.kill(last!, 'SIGCONT')
    expect(await system.child.exited, system.lines.join('\n')).toEqual({ code: 0, signal: null })
    await vi.waitUntil(() => allGone(pids), 5_000)
    expect(await lock()).toBe('')
  })

  test('still has its data after a restart with a Redis that cannot read its own: that begins empty', async () => {
    const logs = join(dir, 'data/redis/appendonlydir')
    const last = (await readdir(logs)).filter((it) => it.endsWith('.incr.aof')).at(-1)!
    await writeFile(join(logs, last), Buffer.alloc(700), { flag: 'a' })
    inspectPort = await freePort()
    system = await start({ INSPECT: 'stock', INSPECT_PORT: String(inspectPort) }, ['--watch'])
    urls = await ready(system.child)
    expect(system.lines).toContainEqual(
      expect.stringMatching(
        /^Redis cannot read its data and begins empty; .* The old data is in .*\/redis\/unreadable-/,
      ),
    )
    const reservation = await json(fetch(`${urls.reservation}/reservations/${reservationid}`))
    expect(reservation).toMatchObject({ status: 'Reserved' })
    expect(await json(fetch(`${urls.stock}/stocks/1`))).toMatchObject({ qty: 2, held: 1 })
  }, 60_000)

  test('npm run dev restarts the service whose file has changed, and all of them when they share the file', async () => {
    const pidOf = async (name: string) => {
      const pids = await children(system.child.pid)
      const commands = await Promise.all(pids.map(commandLine))
      return pids[commands.findIndex((it) => it.includes(`actors/${name}/main.ts`))]
    }
    const pids = () => Promise.all(['reservation', 'stock', 'notifier'].map(pidOf))
    const running = (name: string) => system.lines.filter((it) => it.includes(`${name} is running again`))
    // A new modification time is a change that other tests cannot see.
    const touch = (file: string) => utimes(join(root, file), new Date(), new Date())
    const [reservation, stock, notifier] = await pids()
    await touch('actors/stock/stock.ts')
    await vi.waitUntil(() => running('stock').length === 1, 20_000)
    const [sameReservation, newStock, sameNotifier] = await pids()
    expect([sameReservation, sameNotifier]).toEqual([reservation, notifier])
    expect(newStock).not.toBe(stock)
    await touch('actors/stock/stock.test.ts')
    await touch('streams/worker.ts')
    await vi.waitUntil(
      () =>
        running('stock').length === 2 &&
        ['reservation', 'notifier', 'web'].every((it) => running(it).length === 1),
      20_000,
    )
    expect(system.lines.filter((it) => it.includes('changed'))).toEqual([
      'actors/stock/stock.ts changed; restarting stock',
      'streams/worker.ts changed; restarting reservation, stock, notifier, web',
    ])
    const { reservation: url } = urls
    const reserved = await json(post(`${url}/reservations`, { bookid: '1', userid: 'test2' }))
    expect(reserved).toMatchObject({ status: 'Reserved' })
  }, 60_000)

  test('lets a debugger attach to the service that INSPECT names, after its restart too', async () => {
    const attach = `A debugger can attach to stock at 127.0.0.1:${inspectPort}`
    expect(system.lines.join('\n')).toContain(attach)
    // Its debugger may be starting still.
    const script = await vi.waitFor(() => evaluate(inspectPort, 'process.argv[1]'), 10_000)
    expect(script).toBe(join(root, 'actors/stock/main.ts'))
  })

  test('ends when its starter is killed, and `deno task start` goes on with its data, with neither Node nor npm on the PATH', async () => {
    const before = await children(system.child.pid)
    system.child.kill('SIGKILL')
    const bin = await mkdtemp(join(dir, 'bin-'))
    await chmod(bin, 0o755)
    const needed = ['redis-server', 'sh', 'id', 'flock', 'mkdir', 'rm', 'cat', 'sleep']
    for (const name of needed) await symlink(findProgram(name)!, join(bin, name))
    const child = await startChild({
      command: programOf.deno,
      args: ['task', 'start'],
      cwd: root,
      env: { PATH: bin, HOME: dir, DATA_DIR: join(dir, 'data'), ...anyPorts },
      graceMs: 20_000,
      onLine: () => {},
    })
    started.push(child)
    urls = await ready(child)
    await vi.waitUntil(() => allGone(before), 20_000)
    const commands = await Promise.all((await descendants(child.pid)).map(commandLine))
    expect(commands.filter((command) => /deno run .*main\.ts/.test(command))).toHaveLength(4)
    expect(commands.filter((command) => /\bnode\b(?!_modules)/.test(command.split(' ')[0]!))).toEqual([])
    expect(await json(fetch(`${urls.stock}/stocks/1`))).toMatchObject({ qty: 1, held: 2 })
    const reserved = await json(post(`${urls.reservation}/reservations`, { bookid: '1', userid: 'test3' }))
    expect(reserved).toMatchObject({ status: 'Reserved' })
    const pids = await descendants(child.pid)
    await child.stop()
    await vi.waitUntil(() => allGone(pids), 20_000)
  }, 120_000)

  test('that wakes up after another machine took its folder kills its servers, and nothing is written', async () => {
    const DATA_DIR = join(dir, 'data')
    const { child, lines } = await start({ SERVICES: 'stock' })
    urls = await ready(child)
    expect(await json(fetch(`${urls.stock}/stocks/1`))).toMatchObject({ qty: 0, held: 3 })
    const pids = (await descendants(child.pid)).filter((pid) => pid !== child.pid)
    child.kill('SIGSTOP')
    const another = { id: 'other', kernel: 'another boot', host: 'elsewhere', pid: 7 }
    await writeFile(join(DATA_DIR, 'start.lock'), JSON.stringify(another))
    child.kill('SIGCONT')
    expect(await child.exited).toEqual({ code: 1, signal: null })
    // A line that a service wrote meanwhile may come last.
    expect(lines).toContain(
      `Stopped at once: lost ${DATA_DIR}, because it was taken by another npm start, process 7 on elsewhere`,
    )
    await vi.waitUntil(() => allGone(pids), 5_000)
    // A stopping server would remove this file, even if it is the one of the other machine.
    expect(await readdir(join(DATA_DIR, 'postgres/cluster'))).toContain('postmaster.pid')
  }, 120_000)
})

test('with --identity people log in at a provider, and callers need tokens, which npm run token prints', async () => {
  const env = {
    DATABASE_URL: inject('postgresUrl'),
    REDIS_URL: inject('redisUrl'),
    REDIS_PREFIX: 'identity-test',
    SERVICES: 'reservation,stock,web',
    DATA_DIR: join(dir, 'identity'),
  }
  const { child } = await start(env, ['--identity'])
  const { stock, reservation } = await ready(child)
  const print = async (...args: string[]) => {
    const script = join(root, 'deploy/local/identity/token.ts')
    const its = { PATH: process.env.PATH, ...compileCache, DATA_DIR: env.DATA_DIR }
    const printing = await startChild({ command: process.execPath, args: [script, ...args], env: its })
    const { code } = await printing.exited
    return { code, said: printing.tail().join('\n') }
  }
  const as = async (url: string, body: object, ...args: string[]) => {
    const { said } = await print(...args)
    const headers = { authorization: `Bearer ${said}`, 'content-type': 'application/json' }
    return (await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })).status
  }
  const receipt = { bookid: '1', qty: 3 }
  expect((await post(`${stock}/stocks`, receipt)).status).toBe(401)
  expect(await as(`${stock}/stocks`, receipt, '--role', 'stock-manager')).toBe(201)
  expect(await as(`${stock}/stocks`, receipt, '--userid', 'mina')).toBe(403)
  expect(await as(`${reservation}/reservations`, { bookid: '1' }, '--userid', 'mina')).toBe(201)
  expect(await print('--role', 'king')).toMatchObject({
    code: 1,
    said: expect.stringContaining('--role must be'),
  })
  expect(await print()).toMatchObject({ code: 1, said: expect.stringContaining('--userid') })
  const key = join(env.DATA_DIR, 'identity', 'signing-key.json')
  expect((await stat(key)).mode & 0o077).toBe(0)
  const [, pages] = /^Open (http:\S+) in a browser\. Log in as mina \(customer\)/m.exec(
    child.tail().join('\n'),
  )!
  const leads = await fetch(`${pages}/login`, { redirect: 'manual' })
  const provider = await fetch(leads.headers.get('location')!, { redirect: 'manual' })
  expect([leads.status, provider.status]).toEqual([303, 303])
  expect(provider.headers.get('location')).toMatch(/^\/people\//)
  await child.stop()
}, 120_000)

describe('the address of the services, with the servers of the environment and without its proxy', () => {
  const stores = () => ({
    DATABASE_URL: inject('postgresUrl'),
    REDIS_URL: inject('redisUrl'),
    REDIS_PREFIX: 'start-test',
    NODE_USE_ENV_PROXY: '1',
    HTTP_PROXY: 'http://127.0.0.1:9',
    http_proxy: 'http://127.0.0.1:9',
  })
  const outside = Object.values(networkInterfaces())
    .flat()
    .find((it) => it?.family === 'IPv4' && !it.internal)?.address
  const hasIPv6 = Object.values(networkInterfaces())
    .flat()
    .some((it) => it?.address === '::1')
  const reaches = (host: string, port: string) =>
    statusOf(host, Number(port), '/livez', AbortSignal.timeout(5_000)).catch(() => 0)

  test.for<[string, string, boolean]>([
    ['', 'http://localhost:', false],
    ['0.0.0.0', 'http://localhost:', true],
    ['::', 'http://localhost:', true],
    ['[::1]', 'http://[::1]:', false],
  ])('HOST=%s: at %s, open to the network: %s', { timeout: 60_000 }, async ([host, url, open], context) => {
    context.skip(host.includes(':') && !hasIPv6, 'this machine has no IPv6')
    const { child, lines } = await start({ ...stores(), HOST: host, SERVICES: 'stock' })
    const urls = await ready(child)
    const commands = await Promise.all((await children(child.pid)).map(commandLine))
    expect(commands.filter((command) => /redis-server|bin\/postgres/.test(command))).toEqual([])
    expect(urls.stock.replace(/\d+$/, '')).toBe(url)
    expect((await fetch(`${urls.stock}/readyz`)).status).toBe(200)
    if (outside) expect(await reaches(outside, new URL(urls.stock).port)).toBe(open ? 200 : 0)
    expect(lines.some((line) => line.includes('Only this machine can reach it'))).toBe(!open)
    await child.stop()
  })

  test('an address of another machine fails with one line and exit code 1', async () => {
    const { child, lines } = await start({ ...stores(), HOST: '192.0.2.1' })
    expect(await child.exited).toEqual({ code: 1, signal: null })
    expect(lines).toEqual([
      expect.stringMatching(/^Cannot start: cannot listen on 192\.0\.2\.1: .*; set HOST to/),
    ])
  })

  test('variables that Kubernetes sets for Services are not mistaken for ports', async () => {
    const { child, lines } = await start({
      ...stores(),
      STOCK_PORT: 'tcp://10.3.2.1:8082',
      NOTIFIER_PORT: 'x',
    })
    expect(await child.exited).toEqual({ code: 1, signal: null })
    expect(lines).toEqual(['Cannot start: NOTIFIER_PORT must be a port, 0 to 65535'])
  })
})

test('each npm script is a task of Deno, too, except those of `npm version`', async () => {
  const read = async (name: string) => JSON.parse(await readFile(join(root, name), 'utf8'))
  const { scripts } = (await read('package.json')) as { scripts: Record<string, string> }
  const { tasks } = (await read('deno.json')) as { tasks: Record<string, string> }
  // Without `exec` a signal would end the shell of npm, and npm would exit before the program has stopped. Deno has none.
  const ours = Object.entries(scripts).filter(([name]) => !/^(pre)?version$/.test(name))
  for (const [, it] of ours) expect(it).toMatch(/^exec node deploy\/local\/install\.mjs /)
  const wanted = ours.map(([name, it]) => [name, it.replace(/^exec node /, 'deno run -A ')])
  expect(Object.entries(tasks)).toEqual(wanted)
})

// These exit by themselves, so they run concurrently, each with its own folder.
test.concurrent('--help explains the settings', async () => {
  const { child, lines } = await start({}, ['--help'])
  expect(await child.exited).toEqual({ code: 0, signal: null })
  expect(lines.join('\n')).toMatch(/RESERVATION_PORT.*RUNTIME.*DATABASE_URL/s)
})

test.concurrent.each([
  [
    'a server that cannot be reached',
    { DATABASE_URL: 'postgres://u:secret@127.0.0.1:1/db' },
    /^Cannot start: cannot reach Postgres at 127\.0\.0\.1:1 \(DATABASE_URL\): .*ECONNREFUSED/,
  ],
  [
    'a Redis that cannot be reached',
    { REDIS_URL: 'redis://:secret@127.0.0.1:1' },
    /^Cannot start: cannot reach Redis at 127\.0\.0\.1:1 \(REDIS_URL\): .*ECONNREFUSED/,
  ],
  [
    'faulty settings',
    { STOCK_PORT: 'x', PARTITIONS: '0', RUNTIME: 'bun', SERVICES: 'stock,purchaser' },
    /^Cannot start: (?=.*STOCK_PORT)(?=.*PARTITIONS)(?=.*RUNTIME)(?=.*SERVICES must be some of reservation,stock,notifier,web)/,
  ],
  [
    'an inspector of a service that does not run',
    { SERVICES: 'stock', INSPECT: 'notifier' },
    /^Cannot start: INSPECT names notifier, which is not among SERVICES$/,
  ],
  [
    'equal ports',
    { STOCK_PORT: '18081', NOTIFIER_PORT: '18081' },
    /^Cannot start: the services' ports must differ/,
  ],
])('%s: one line, exit code 1', async (name, env, line) => {
  const { child, lines } = await start({ DATA_DIR: join(dir, name), ...env })
  expect(await child.exited).toEqual({ code: 1, signal: null })
  expect(lines).toEqual([expect.stringMatching(line)])
  expect(lines.join()).not.toContain('secret')
})

test.concurrent.each(['node', 'deno'] as const)(
  'npm start and npm run dev, on %s: settings come from .env, and the environment wins',
  async (runtime) => {
    const folder = await mkdtemp(join(dir, 'env-'))
    await writeFile(join(folder, '.env'), 'STOCK_PORT=x # not a port\nNOTIFIER_PORT=y\nLOG_FORMAT="z"\n')
    const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
    expect(scripts.dev).toBe(`${scripts.start} --watch`)
    const [, , ...args] = scripts.start.replaceAll(/(\.\/)?deploy\//g, `${root}/deploy/`).split(' ')
    const child = await startChild({
      command: programOf[runtime],
      args: runtime === 'deno' ? ['run', '-A', ...args] : args,
      cwd: folder,
      env: {
        PATH: process.env.PATH,
        ...compileCache,
        DATA_DIR: folder,
        ...anyPorts,
        STOCK_PORT: '0',
        NOTIFIER_PORT: undefined,
      },
      onLine: () => {},
    })
    started.push(child)
    expect(await child.exited).toEqual({ code: 1, signal: null })
    expect(child.tail()).toEqual([
      expect.stringMatching(/^Cannot start: NOTIFIER_PORT must be a port.*; LOG_FORMAT (?!.*STOCK_PORT)/),
    ])
  },
)

test('the files for editors fit the defaults of npm start', async () => {
  const read = async (name: string) => JSON.parse(await readFile(join(root, name), 'utf8'))
  const { ports, opsPorts, inspect } = toSettings({ INSPECT: 'stock' })
  const { forwardPorts, image } = await read('.devcontainer/devcontainer.json')
  expect(forwardPorts).toEqual([...Object.values(ports), ...Object.values(opsPorts)])
  const { devDependencies } = await read('package.json')
  expect(image).toContain(`:${devDependencies.node.split('.')[0]}-`)
  const [attach] = (await read('.vscode/launch.json')).configurations
  expect(attach).toMatchObject({ request: 'attach', address: '127.0.0.1', port: inspect!.port })
})

test.concurrent('a port that is in use fails with one line and exit code 1', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, resolve))
  const { port } = server.address() as { port: number }
  const { child, lines } = await start({ DATA_DIR: join(dir, 'port'), NOTIFIER_PORT: String(port) })
  expect(await child.exited).toEqual({ code: 1, signal: null })
  expect(lines).toEqual([
    `Cannot start: cannot use port ${port} for notifier: it is in use; set NOTIFIER_PORT to another one`,
  ])
  server.close()
})

test.concurrent.each([
  ['under a file', () => join(dir, 'file'), 'ENOTDIR'],
  ['where no folder can be created', () => '/proc/x', 'ENOENT'],
])('a data folder %s fails with one line and exit code 1', async (_name, parent, code) => {
  await writeFile(join(dir, 'file'), '')
  const { child, lines } = await start({ DATA_DIR: join(parent(), 'data') })
  expect(await child.exited).toEqual({ code: 1, signal: null })
  expect(lines).toEqual([expect.stringMatching(`^Cannot start: cannot write to ${parent()}/data: ${code}`)])
})
