import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { postRequest, runClosedLoop } from './closed-loop.ts'
import { HttpConnection, parseAnswer } from './http-connection.ts'

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

async function listening(server: net.Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  stops.push(() => server.close())
  return (server.address() as net.AddressInfo).port
}

const reserved = JSON.stringify({ status: 'Reserved' })
const loadOf = (port: number) => ({
  host: '127.0.0.1',
  port,
  clients: 4,
  warmupMs: 20,
  measuredMs: 100,
  graceMs: 1_000,
  request: (client: number, count: number) =>
    postRequest('test', '/reservations', { client, count }, { prefer: 'wait=10' }),
  wanted: (answer: { status: number; body: string }) =>
    answer.status === 201 && answer.body.includes('"status":"Reserved"'),
})

describe('parseAnswer', () => {
  const whole = {
    'content-length': 'HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello',
    chunked:
      'HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;a=b\r\nlo\r\n0\r\nx: y\r\n\r\n',
    'after an interim response':
      'HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 5\r\n\r\nhello',
  }
  for (const [kind, text] of Object.entries(whole)) {
    test(`an answer ${kind} is read whole and no earlier`, () => {
      expect(parseAnswer(text)).toEqual({ status: 201, body: 'hello', close: false })
      for (let length = 0; length < text.length; length++)
        expect(parseAnswer(text.slice(0, length))).toBeUndefined()
    })
  }

  test('an answer without a length, or with extra bytes, is refused', () => {
    expect(() => parseAnswer('HTTP/1.1 200 OK\r\n\r\n')).toThrow('no length')
    expect(() => parseAnswer('HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab')).toThrow('more bytes')
    expect(() => parseAnswer('SSH-2.0-OpenSSH\r\n\r\n')).toThrow('SSH')
  })
})

describe('HttpConnection', () => {
  test('an answer that arrives in chunks is one answer', async () => {
    const server = net.createServer((socket) => {
      socket.once('data', async () => {
        for (const piece of ['HTTP/1.1 201 Cre', 'ated\r\ncontent-length: 4\r\n', '\r\nab', 'cd'])
          await new Promise((resolve) => socket.write(piece, resolve))
      })
      stops.push(() => socket.destroy())
    })
    const connection = await HttpConnection.open('127.0.0.1', await listening(server))
    expect(await connection.exchange('GET / HTTP/1.1\r\n\r\n')).toEqual({
      status: 201,
      body: 'abcd',
      close: false,
    })
    connection.close()
  })

  test('a truncated answer is an error', async () => {
    const server = net.createServer((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 201 Created\r\ncontent-length: 4\r\n\r\nab'))
    })
    const connection = await HttpConnection.open('127.0.0.1', await listening(server))
    await expect(connection.exchange('GET / HTTP/1.1\r\n\r\n')).rejects.toThrow('closed')
    expect(connection.open).toBe(false)
  })
})

describe('runClosedLoop', () => {
  test('the client counts each request that the server served once, chunked or not', async () => {
    const seen = new Set<string>()
    let served = 0
    const server = http.createServer(async (request, response) => {
      let body = ''
      for await (const chunk of request) body += chunk
      seen.add(body)
      served++
      response.writeHead(201)
      // Two writes without a length are sent chunked.
      if (served % 2) response.write(reserved.slice(0, 9))
      response.end(served % 2 ? reserved.slice(9) : reserved)
    })
    const result = await runClosedLoop(loadOf(await listening(server)))
    expect(result.wanted).toBe(served)
    expect(seen.size).toBe(served)
    expect(result).toMatchObject({ sent: served, other: {} })
    expect(result.measured).toBeGreaterThan(0)
    expect(result.measured).toBeLessThan(served)
    expect(result.p50Ms).toBeLessThanOrEqual(result.p99Ms)
  })

  test('every other answer is counted separately, and never as throughput', async () => {
    let served = 0
    const expected: Record<string, number> = {}
    const server = http.createServer((request, response) => {
      request.resume()
      const kind = ['wanted', '503', '201 with another status', 'closing'][served++ % 4]!
      const name = kind === 'closing' ? 'wanted' : kind
      expected[name] = (expected[name] ?? 0) + 1
      if (kind === 'closing') response.setHeader('connection', 'close')
      response.writeHead(kind === '503' ? 503 : 201)
      response.end(name === 'wanted' ? reserved : '{"status":"Requested"}')
    })
    const result = await runClosedLoop(loadOf(await listening(server)))
    const { wanted, ...other } = expected
    expect(result).toMatchObject({ sent: served, wanted, other })
    expect(result.measured).toBeLessThanOrEqual(wanted!)
  })

  test('a request without an answer counts as unanswered after the grace period', async () => {
    const server = http.createServer((request) => void request.resume())
    const result = await runClosedLoop({ ...loadOf(await listening(server)), measuredMs: 20, graceMs: 20 })
    expect(result).toMatchObject({ sent: 4, wanted: 0, measured: 0, other: { unanswered: 4 } })
  })
})
