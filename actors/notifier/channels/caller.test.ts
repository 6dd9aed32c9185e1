import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../../../tests/doubles/eventually.ts'
import type { Tried } from './breaker.ts'
import { Caller } from './caller.ts'

/** Answers, and keeps every connection open as long as possible. */
let server: Server
let port: number
const open = new Set<Socket>()
let connections = 0
beforeEach(async () => {
  connections = 0
  server = createServer((socket) => {
    connections += 1
    open.add(socket)
    socket.on('error', () => {}).on('close', () => open.delete(socket))
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'))
  })
  await once(server.listen(0, '0.0.0.0'), 'listening')
  port = (server.address() as AddressInfo).port
})
afterEach(async () => {
  for (const socket of open) socket.destroy()
  await new Promise((resolve) => server.close(resolve))
})

const sent: Tried = { outcome: { type: 'sent' } }
const post = (caller: Caller, host: number) =>
  caller.post(
    'the webhook',
    {
      url: new URL(`http://127.0.1.${host}:${port}/`),
      headers: {},
      body: '{}',
      signal: AbortSignal.timeout(10_000),
    },
    ({ body }) => body.then(() => sent),
  )

test('X5: however many hosts there are, few idle connections are kept, and only briefly', async () => {
  const caller = new Caller({ allowPrivate: true, idle: { max: 10, ms: 500 } })
  for (let host = 1; host <= 60; host++) expect(await post(caller, host)).toEqual(sent)
  expect(connections).toBe(60)
  await eventually(() => open.size <= 10)
  await eventually(() => open.size === 0)
  expect(await post(caller, 1)).toEqual(sent)
  caller.close()
})

test('a host that is called again at once keeps its connection', async () => {
  const caller = new Caller({ allowPrivate: true })
  for (let i = 0; i < 5; i++) await post(caller, 1)
  expect(connections).toBe(1)
  caller.close()
})
