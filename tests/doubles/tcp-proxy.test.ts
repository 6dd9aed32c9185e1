import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import { TcpProxy } from './tcp-proxy.ts'

/** Answers every request with the same text in upper case, and records it. */
let server: Server
let heard = ''
beforeAll(async () => {
  server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      heard += bytes.toString()
      socket.write(bytes.toString().toUpperCase())
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterAll(() => server.close())

const target = () => `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`
async function dial(proxy: TcpProxy): Promise<{ socket: Socket; got: () => string }> {
  let got = ''
  const socket = connect(Number(new URL(proxy.url).port), '127.0.0.1')
  socket.on('error', () => {}).on('data', (bytes) => (got += bytes.toString()))
  await once(socket, 'connect')
  return { socket, got: () => got }
}

test('a swallowed reply does not arrive, its request was carried out, and the connection is cut', async () => {
  await using proxy = await TcpProxy.start(target())
  const { socket, got } = await dial(proxy)
  const swallowed = proxy.swallowReply((bytes) => bytes.includes('second'))
  socket.write('first')
  await eventually(() => got() === 'FIRST')
  socket.write('second')
  await Promise.all([swallowed, once(socket, 'close')])
  expect(got()).toBe('FIRST')
  expect(heard).toContain('second')
})

test('bytes held back arrive late, even when their sender has closed', async () => {
  await using proxy = await TcpProxy.start(target())
  const { socket } = await dial(proxy)
  proxy.silence('requests')
  socket.end('last words')
  await once(socket, 'finish')
  expect(heard).not.toContain('last words')
  proxy.restore()
  await eventually(() => heard.includes('last words'))
})

test('replies can be held back alone', async () => {
  await using proxy = await TcpProxy.start(target())
  const { socket, got } = await dial(proxy)
  proxy.silence('replies')
  socket.write('heard at once')
  await eventually(() => heard.includes('heard at once'))
  expect(got()).toBe('')
  proxy.restore()
  await eventually(() => got() === 'HEARD AT ONCE')
})

test('an abandoned connection is silent, even about its close, and new ones work', async () => {
  await using proxy = await TcpProxy.start(target())
  const { socket, got } = await dial(proxy)
  socket.write('first')
  await eventually(() => got() === 'FIRST')
  proxy.abandon()
  socket.write('lost')
  let closed = false
  socket.on('close', () => (closed = true)).end()
  const { socket: another, got: gotAnother } = await dial(proxy)
  another.write('another')
  await eventually(() => gotAnother() === 'ANOTHER')
  expect([got(), closed, heard.includes('lost')]).toEqual(['FIRST', false, false])
  another.destroy()
  proxy.reap()
  await eventually(() => closed)
})

test('a proxy that refuses cuts old connections and accepts no new ones until it is restored', async () => {
  await using proxy = await TcpProxy.start(target())
  const { socket } = await dial(proxy)
  proxy.refuse()
  await once(socket, 'close')
  const refused = connect(Number(new URL(proxy.url).port), '127.0.0.1').on('error', () => {})
  await new Promise((resolve) => refused.on('close', resolve))
  proxy.restore()
  const { socket: again, got } = await dial(proxy)
  again.write('again')
  await eventually(() => got() === 'AGAIN')
  again.destroy()
})
