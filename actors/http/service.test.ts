import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { ProblemBody } from './testing/bench.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const small = fileURLToPath(new URL('./testing/small-service.ts', import.meta.url))
const commands = {
  node: [`${root}node_modules/.bin/node`],
  deno: [`${root}node_modules/.bin/deno`, 'run', '--allow-net', '--allow-env', '--allow-read', '--allow-sys'],
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

/** A process of its own; what it says can be waited for. */
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
      env: { PATH, HOME, ...sound, ...env },
    })
    const hear = (line: Line) => {
      this.lines.push(line)
      for (const look of this.#waiting) look()
    }
    createInterface(this.#child.stdout!).on('line', (line) => hear(JSON.parse(line)))
    createInterface(this.#child.stderr!).on('line', (line) => hear({ msg: line }))
    this.#ended = once(this.#child, 'close').then(([code]) => code)
  }

  async said(msg: string): Promise<Line> {
    const find = () => this.lines.find((line) => line.msg === msg)
    const { promise, resolve } = Promise.withResolvers<void>()
    const look = () => void (find() && resolve())
    this.#waiting.add(look)
    look()
    const ended = this.#ended.then((code) => {
      if (!find()) throw new Error(`Ended with ${code} before it said ${msg}: ${JSON.stringify(this.lines)}`)
    })
    await Promise.race([promise, ended])
    return find()!
  }

  async url(): Promise<string> {
    return `http://127.0.0.1:${(await this.said('listening')).port}`
  }

  /** Of probes, metrics and docs. */
  async opsUrl(): Promise<string> {
    return `http://127.0.0.1:${(await this.said('listening')).opsPort}`
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

describe.each(['node', 'deno'] as const)('on %s', (runtime) => {
  test('a service answers, and refuses what it should', async () => {
    await using it = new Small(runtime)
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
  })

  test('probes, metrics and docs have a port of their own, and of these the other knows two probes alone', async () => {
    await using it = new Small(runtime)
    const [url, opsUrl] = [await it.url(), await it.opsUrl()]
    const status = async (at: string) => {
      const response = await fetch(at)
      await response.arrayBuffer()
      return response.status
    }
    for (const path of ['/livez', '/readyz']) expect(await status(url + path), path).toBe(200)
    for (const path of ['/startupz', '/metrics', '/openapi.json', '/docs', '/docs/scalar.js']) {
      expect(await status(url + path), path).toBe(404)
      expect(await status(`${url}/echo/%2e%2e${path}`), path).not.toBe(200)
    }
    for (const path of [
      '/livez',
      '/readyz',
      '/startupz',
      '/metrics',
      '/openapi.json',
      '/docs',
      '/docs/scalar.js',
    ])
      expect(await status(opsUrl + path), path).toBe(200)
    expect((await fetch(`${opsUrl}/echo`, { method: 'POST' })).status).toBe(404)
  })

  test('a Host header that names no host is the client’s fault', async () => {
    await using it = new Small(runtime)
    const socket = connect(Number(new URL(await it.url()).port), '127.0.0.1')
    socket.write('GET /livez HTTP/1.1\r\nhost: a<b\r\nconnection: close\r\n\r\n')
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 /)
  })

  test('SIGTERM finishes requests, then loops, then stores', async () => {
    await using it = new Small(runtime)
    const url = await it.url()
    const slow = fetch(`${url}/slow`)
    await it.said('slow begins')
    it.kill('SIGTERM')
    await it.said('stopping')
    expect((await fetch(`${url}/readyz`)).status).toBe(503)
    expect((await fetch(`${await it.opsUrl()}/readyz`)).status).toBe(503)
    expect((await fetch(`${await it.opsUrl()}/livez`)).status).toBe(200)
    expect((await slow).status).toBe(200)
    expect(await it.exitCode()).toBe(0)
    expect(it.lines.map(({ msg }) => msg).slice(-3)).toEqual(['loop done', 'stores closed', 'stopped'])
  })

  test('a loop that fails ends the process with code 1', async () => {
    await using it = new Small(runtime, {}, 'loop')
    expect(await it.exitCode()).toBe(1)
    expect(it.lines.map(({ msg }) => msg)).toContain('a loop failed')
    expect(it.lines.map(({ msg }) => msg)).toContain('stores closed')
  })

  test('an error that nobody caught ends the process with code 1', async () => {
    await using it = new Small(runtime, {}, 'crash')
    expect(await it.exitCode()).toBe(1)
    expect(it.lines.map(({ msg }) => msg)).toContain('uncaught error')
  })
})

test('a second signal ends a process that does not stop', async () => {
  await using it = new Small('node', {}, 'stuck')
  await it.url()
  it.kill('SIGTERM')
  await it.said('stopping')
  const again = setInterval(() => it.kill('SIGTERM'), 200)
  expect(await it.exitCode()).toBe(1)
  clearInterval(again)
  expect(it.lines.map(({ msg }) => msg)).toContain('ended by force')
})

test('every fault of the configuration is a line of its own', async () => {
  await using it = new Small('node', { PORT: 'x', REDIS_URL: 'http://none' })
  expect(await it.exitCode()).toBe(1)
  expect(it.lines.map(({ msg }) => msg.split(' ')[0])).toEqual(['PORT', 'REDIS_URL'])
})

test('a port in use ends the process with code 1 and says so', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as { port: number }
  await using ops = new Small('node', { OPS_PORT: String(port) })
  expect(await ops.exitCode()).toBe(1)
  expect(JSON.stringify(ops.lines)).toContain(
    `Port ${port} is in use: stop what listens there, or set OPS_PORT`,
  )
  await using it = new Small('node', { PORT: String(port) })
  expect(await it.exitCode()).toBe(1)
  expect(JSON.stringify(it.lines)).toContain(`Port ${port} is in use`)
  expect(it.lines.map(({ msg }) => msg)).toContain('stores closed')
  taken.close()
})
