import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compileCache, programOf } from '../../deploy/local/service.ts'
import type { ProblemBody } from './testing/bench.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const small = fileURLToPath(new URL('./testing/small-service.ts', import.meta.url))
const commands = {
  node: [programOf.node],
  deno: [programOf.deno, 'run', '--allow-net', '--allow-env', '--allow-read', '--allow-sys'],
}
const sound = {
  HOST: '127.0.0.1',
  PORT: '0',
  OPS_PORT: '0',
  DATABASE_URL: 'postgres://none/none',
  REDIS_URL: 'redis://none',
  DRAIN_MS: '500',
}

type Line = { msg: string; port?: number; opsPort?: number }

/** A child process whose log lines a test can wait for. */
class Small implements AsyncDisposable {
  readonly lines: Line[] = []
  readonly #child: ChildProcess
  readonly #ended: Promise<number | null>
  readonly #waiting = new Set<() => void>()

  constructor(runtime: keyof typeof commands, env: Record<string, string> = {}, fault?: string) {
    const [binary, ...args] = commands[runtime]
    const { PATH = '', HOME = '' } = process.env
    this.#child = spawn(binary!, [...args, small, ...(fault ? [fault] : [])], {
      cwd: root,
      env: { PATH, HOME, ...compileCache, ...sound, ...env },
    })
    const hear = (line: Line) => {
      this.lines.push(line)
      for (const look of this.#waiting) look()
    }
    createInterface(this.#child.stdout!).on('line', (line) => hear(JSON.parse(line)))
    createInterface(this.#child.stderr!).on('line', (line) => hear({ msg: line }))
    this.#ended = once(this.#child, 'close').then(([code]) => code)
  }

  async logged(msg: string): Promise<Line> {
    const find = () => this.lines.find((line) => line.msg === msg)
    const { promise, resolve } = Promise.withResolvers<void>()
    const look = () => void (find() && resolve())
    this.#waiting.add(look)
    look()
    const ended = this.#ended.then((code) => {
      if (!find())
        throw new Error(`Exited with ${code} before it logged ${msg}: ${JSON.stringify(this.lines)}`)
    })
    await Promise.race([promise, ended])
    return find()!
  }

  async url(): Promise<string> {
    return `http://127.0.0.1:${(await this.logged('listening')).port}`
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** URL of probes, metrics and docs. */
  async opsUrl(): Promise<string> {
    return `http://127.0.0.1:${(await this.logged('listening')).opsPort}`
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  exitCode(): Promise<number | null> {
    return this.#ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }
}

async function raw(port: number, sent: string): Promise<{ head: string; body: string }> {
  const socket = connect(port, '127.0.0.1')
  socket.write(sent)
  const [head = '', ...rest] = (await text(socket)).split('\r\n\r\n')
  const body = rest.join('\r\n\r\n')
  return { head, body: oneChunk.exec(body)?.[1] ?? body }
}

/** The body of an answer that is sent in one chunk. */
const oneChunk = /^[\da-f]+\r\n(.*)\r\n0\r\n\r\n$/s

const join = (...parts: Uint8Array[]) => Uint8Array.from(Buffer.concat(parts))

const hasIPv6 = Object.values(networkInterfaces()).some((all) => all?.some((it) => it.address === '::1'))

/** The path of the script of the reference page. */
async function scriptOf(opsUrl: string): Promise<string> {
  return / src="([^"]+)"/.exec(await (await fetch(`${opsUrl}/docs`)).text())![1]!
}

const residentBytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1_024

describe.each(['node', 'deno'] as const)('on %s', (runtime) => {
  const origin = 'https://app.example'
  /** For tests that do not end it. */
  let it: Small
  beforeAll(() => {
    it = new Small(runtime, { CORS_ORIGINS: origin })
  })
  afterAll(() => it[Symbol.asyncDispose]())

  test('a service responds, and refuses invalid requests', async () => {
    const url = await it.url()
    const post = (body: BodyInit, type = 'application/json') =>
      fetch(`${url}/echo`, {
        method: 'POST',
        body,
        headers: { 'content-type': type },
        duplex: 'half',
      } as RequestInit)
    const slugOf = async (response: Response) => ((await response.json()) as ProblemBody).type
    expect(await (await post('{"qty":3}')).json()).toEqual({ qty: 3 })
    expect(await slugOf(await post('{"qty":"x"}'))).toBe('/problems/invalid-input')
    expect(await slugOf(await post('{'))).toBe('/problems/malformed-json')
    expect(await slugOf(await post('{}', 'text/plain'))).toBe('/problems/unsupported-media-type')
    const huge = ' '.repeat(70_000)
    expect(await slugOf(await post(huge))).toBe('/problems/body-too-large')
    expect(await slugOf(await post(new Blob([huge]).stream()))).toBe('/problems/body-too-large')
    expect((await fetch(`${url}/echo`)).headers.get('allow')).toBe('POST')
    for (const method of ['GET', 'OPTIONS'])
      expect(
        (await fetch(`${url}/echo`, { method, headers: { origin } })).headers.get(
          'access-control-allow-origin',
        ),
      ).toBe(origin)
  })

  test('probes, metrics and docs have a port of their own; the other port has only two probes', async () => {
    const [url, opsUrl] = [await it.url(), await it.opsUrl()]
    const status = async (at: string) => {
      const response = await fetch(at)
      await response.arrayBuffer()
      return response.status
    }
    for (const path of ['/livez', '/readyz']) expect(await status(url + path), path).toBe(200)
    const script = await scriptOf(opsUrl)
    for (const path of ['/startupz', '/metrics', '/openapi.json', '/docs', script]) {
      expect(await status(url + path), path).toBe(404)
      expect(await status(`${url}/echo/%2e%2e${path}`), path).not.toBe(200)
    }
    for (const path of ['/livez', '/readyz', '/startupz', '/metrics', '/openapi.json', '/', '/docs', script])
      expect(await status(opsUrl + path), path).toBe(200)
    expect((await fetch(`${opsUrl}/echo`, { method: 'POST' })).status).toBe(404)
  })

  test('unusual HTTP requests get the same responses on both runtimes', async () => {
    const port = Number(new URL(await it.url()).port)
    const old = (line: string) => `${line} HTTP/1.0\r\n\r\n`
    const to = (host: string, path = '/readyz') =>
      `GET ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`
    for (const [sent, status] of [
      [old('GET /readyz'), 200],
      [old('GET /nothing'), 404],
      [old('GET /'), 404],
      [old('TRACE /'), 404],
      [to('x', 'http://books.example'), 404],
      [old('HEAD /readyz'), 200],
      [old('OPTIONS *'), 204],
      ['OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', 204],
      [to(''), 200],
      [to('[0:0:0:0:0:0:0:1]:8081'), 200],
      [to('my_service.ns:8081'), 200],
      [to('UPPER.example'), 200],
      [to('a<b'), 400],
      [to('a/b'), 400],
      [to('a?b'), 400],
      [to('user@host'), 400],
      [to('host:99999'), 400],
      [to('999.999.999.999'), 400],
      [to('a\r\nhost: b'), 400],
      [to('x', 'http://books.example/readyz'), 200],
      [to('x', 'HTTP://books.example/readyz'), 200],
      [to('x', 'ftp://books.example/readyz'), 400],
    ] as const) {
      const { head, body } = await raw(port, sent)
      expect(head, sent).toMatch(new RegExp(`^HTTP/1\\.[01] ${status} `))
      if (status === 200 && !sent.startsWith('HEAD')) expect(JSON.parse(body)).toEqual({ status: 'Ready' })
    }
  })

  test('an unknown expectation is ignored', async () => {
    const port = Number(new URL(await it.url()).port)
    const head = ['POST /echo HTTP/1.1', 'host: x', 'connection: close', 'content-type: application/json']
    const sent = [...head, 'content-length: 9', 'expect: the-best', '', '{"qty":1}'].join('\r\n')
    expect(await raw(port, sent)).toMatchObject({
      head: expect.stringMatching(/^HTTP\/1\.1 200 /),
      body: '{"qty":1}',
    })
  })

  test('a path with . or .. as a segment is refused in any spelling', async () => {
    await using it = new Small(runtime, { PUBLIC_URL: 'https://books.example/' })
    const port = Number(new URL(await it.url()).port)
    const get = (path: string) => raw(port, `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`)
    for (const path of [
      '/echo/../metrics',
      '/echo/%2e%2e/metrics',
      '/echo/.%2E/openapi.json',
      '/./readyz',
      '/%2e/readyz',
      '/readyz/..',
      '/echo/..?a=b',
      '/echo/..#a',
      '/echo\\..\\metrics',
      'http://x/echo/../metrics',
    ]) {
      const { head, body } = await get(path)
      expect(head, path).toMatch(/^HTTP\/1\.1 400 /)
      expect(JSON.parse(body).detail, path).toContain('. or ..')
      expect(JSON.parse(body).type, path).toBe('https://books.example/problems/invalid-input')
    }
    for (const path of ['/readyz?after=/../x', '/readyz?..', '/readyz#/../x'])
      expect((await get(path)).head, path).toMatch(/^HTTP\/1\.1 200 /)
  })

  test.each([
    ['by default', { HOST: '' }],
    ['in brackets', { HOST: '[::]' }],
  ])('it listens on every address of IPv4 and IPv6: %s', async (_, env) => {
    await using it = new Small(runtime, env)
    const { port } = await it.logged('listening')
    for (const host of hasIPv6 ? ['127.0.0.1', '[::1]'] : ['127.0.0.1'])
      expect((await fetch(`http://${host}:${port}/readyz`)).status, host).toBe(200)
  })

  test('HEAD has the headers of GET, and no wrong length', async () => {
    const url = await it.opsUrl()
    for (const path of ['/readyz', '/livez', '/openapi.json', '/docs', await scriptOf(url), '/nothing']) {
      const [head, get] = [await fetch(url + path, { method: 'HEAD' }), await fetch(url + path)]
      const { byteLength } = await get.arrayBuffer()
      expect(head.status, path).toBe(get.status)
      expect(head.headers.get('content-type'), path).toBe(get.headers.get('content-type'))
      expect([null, String(byteLength)], path).toContain(head.headers.get('content-length'))
    }
  })

  test('head and body of an answer are sent together', async () => {
    const socket = connect(Number(new URL(await it.url()).port), '127.0.0.1')
    const pieces: string[] = []
    socket.on('data', (piece) => pieces.push(String(piece)))
    for (let i = 0; i < 20; i++) {
      socket.write(`GET /${'x'.repeat(600)} HTTP/1.1\r\nhost: x\r\n\r\n`)
      await once(socket, 'data')
    }
    socket.destroy()
    expect(pieces.filter((piece) => !piece.startsWith('HTTP/1.1 404 '))).toEqual([])
  })

  test.each(['HEAD', 'GET'])(
    'an answer to %s in HTTP/1.0 has a length and is not chunked',
    async (method) => {
      const socket = connect(Number(new URL(await it.url()).port), '127.0.0.1')
      socket.write(`${method} /${'x'.repeat(600)} HTTP/1.0\r\n\r\n`)
      const answer = (await text(socket)).toLowerCase()
      expect(answer).not.toContain('transfer-encoding')
      if (method === 'GET') expect(answer).toMatch(/\r\ncontent-length: \d+\r\n/)
    },
  )

  test('bytes that are not UTF-8 are refused, and a byte order mark is ignored, by length and in chunks', async () => {
    const url = await it.url()
    const json = (text: string) => new TextEncoder().encode(text)
    const korean = Uint8Array.of(0xb8, 0xf0)
    const cases: [string, Uint8Array<ArrayBuffer>, number][] = [
      ['EUC-KR', join(json('{"qty":1,"title":"'), korean, json('"}')), 400],
      ['half a character', join(json('{"qty":1,"title":"'), Uint8Array.of(0xeb, 0xaa), json('"}')), 400],
      ['a surrogate', join(json('{"qty":1,"title":"'), Uint8Array.of(0xed, 0xa0, 0x80), json('"}')), 400],
      ['UTF-16', Uint8Array.from(Buffer.from('\ufeff{"qty":1}', 'utf16le')), 400],
      ['a byte order mark', json('\ufeff{"qty":1}'), 200],
      ['two byte order marks', json('\ufeff\ufeff{"qty":1}'), 400],
      ['U+FFFD itself', json('{"qty":1,"title":"\ufffd"}'), 200],
    ]
    for (const [name, bytes, status] of cases) {
      for (const body of [bytes, new Blob([bytes]).stream()]) {
        const response = await fetch(`${url}/echo`, {
          method: 'POST',
          body,
          headers: { 'content-type': 'application/json' },
          duplex: 'half',
        } as RequestInit)
        const answer = (await response.json()) as ProblemBody
        expect(response.status, name).toBe(status)
        if (status === 400) expect(answer.type, name).toBe('/problems/malformed-json')
      }
    }
  })

  test('the script of the reference page is in memory once, however many requests want it', async () => {
    const url = await it.opsUrl()
    const script = await scriptOf(url)
    await (await fetch(url + script)).arrayBuffer()
    const before = residentBytes(it.pid)
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    // The responses are never read.
    socket.pause()
    const ask = `GET ${script} HTTP/1.1\r\nhost: x\r\n\r\n`
    await new Promise<void>((resolve) => socket.write(ask.repeat(90), () => resolve()))
    for (let i = 0; i < 10; i++) expect((await fetch(`${url}/livez`)).status).toBe(200)
    expect(residentBytes(it.pid) - before).toBeLessThan(90 * 1024 * 1024)
    socket.destroy()
  })

  test('S1, S2, S3, S4: SIGTERM ends requests, then loops, then stores', async () => {
    await using it = new Small(runtime)
    const url = await it.url()
    const slow = fetch(`${url}/slow`)
    await it.logged('slow begins')
    it.kill('SIGTERM')
    await it.logged('stopping')
    expect((await fetch(`${url}/readyz`)).status).toBe(503)
    expect((await fetch(`${await it.opsUrl()}/readyz`)).status).toBe(503)
    expect((await fetch(`${await it.opsUrl()}/livez`)).status).toBe(200)
    expect((await slow).status).toBe(200)
    await it.logged('loop stops')
    await expect(fetch(`${url}/readyz`)).rejects.toThrow()
    expect((await fetch(`${await it.opsUrl()}/livez`)).status).toBe(200)
    expect(await it.exitCode()).toBe(0)
    expect(it.lines.map(({ msg }) => msg).slice(-5)).toEqual([
      'slow ends',
      'loop stops',
      'loop done',
      'stores closed',
      'stopped',
    ])
  })

  test('a loop that fails ends the process with code 1', async () => {
    await using it = new Small(runtime, {}, 'loop')
    expect(await it.exitCode()).toBe(1)
    expect(it.lines.map(({ msg }) => msg)).toContain('a loop failed')
    expect(it.lines.map(({ msg }) => msg)).toContain('stores closed')
  })

  test('an uncaught error ends the process with code 1', async () => {
    await using it = new Small(runtime, {}, 'crash')
    expect(await it.exitCode()).toBe(1)
    expect(it.lines.map(({ msg }) => msg)).toContain('uncaught error')
  })
})

test('a second signal ends a process that does not stop', async () => {
  await using it = new Small('node', {}, 'stuck')
  await it.url()
  it.kill('SIGTERM')
  await it.logged('stopping')
  const again = setInterval(() => it.kill('SIGTERM'), 200)
  expect(await it.exitCode()).toBe(1)
  clearInterval(again)
  expect(it.lines.map(({ msg }) => msg)).toContain('ended by force')
})

test('every fault of the configuration has a line of its own', async () => {
  await using it = new Small('node', { PORT: 'x', REDIS_URL: 'http://none' })
  expect(await it.exitCode()).toBe(1)
  expect(it.lines.map(({ msg }) => msg.split(' ')[0])).toEqual(['PORT', 'REDIS_URL'])
})

test('a port in use ends the process with code 1 and a log line', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as { port: number }
  await using ops = new Small('node', { OPS_PORT: String(port) })
  expect(await ops.exitCode()).toBe(1)
  expect(JSON.stringify(ops.lines)).toContain(
    `Port ${port} is in use: stop the program that listens there, or set OPS_PORT`,
  )
  await using it = new Small('node', { PORT: String(port) })
  expect(await it.exitCode()).toBe(1)
  expect(JSON.stringify(it.lines)).toContain(`Port ${port} is in use`)
  expect(it.lines.map(({ msg }) => msg)).toContain('stores closed')
  taken.close()
})

test('on Node an invalid request gets an error, never in the middle of another response', async () => {
  await using it = new Small('node', { PUBLIC_URL: 'https://books.example' })
  const port = Number(new URL(await it.url()).port)
  const large = 'a'.repeat(17_000)
  for (const [sent, status, detail] of [
    ['GET /books?q=책 HTTP/1.1\r\nhost: x\r\n\r\n', 400, 'percent-encoded'],
    ['no request\r\n\r\n', 400, 'not HTTP/1.1'],
    ['GET / HTTP/1.1\r\nhost: x\r\na\0: b\r\n\r\n', 400, 'not HTTP/1.1'],
    [`GET / HTTP/1.1\r\nhost: x\r\na: ${large}\r\n\r\n`, 431, undefined],
    [
      `POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n2;a=${large}\r\n`,
      413,
      undefined,
    ],
  ] as const) {
    const { head, body } = await raw(port, sent)
    expect(head, sent.slice(0, 40)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(head).toContain('content-type: application/problem+json')
    expect(JSON.parse(body)).toMatchObject({
      type: expect.stringMatching(/^https:\/\/books\.example\/problems\//),
      status,
      ...(detail && { detail: expect.stringContaining(detail) }),
    })
  }
  const twice = await raw(port, 'GET /readyz HTTP/1.1\r\nhost: x\r\n\r\nno request\r\n\r\n')
  expect(twice.head).toMatch(/^HTTP\/1\.1 200 /)
  expect(twice.body).toMatch(/^{"status":"Ready"}HTTP\/1\.1 400 /)
})
