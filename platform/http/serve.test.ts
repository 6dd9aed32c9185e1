import { once } from 'node:events'
import { connect, Server } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { serve } from './serve.ts'

const host = '127.0.0.1'

test('S2: a request in flight finishes, and no more are accepted', async () => {
  const began = Promise.withResolvers<void>()
  const answer = Promise.withResolvers<Response>()
  const fetchApp = () => {
    began.resolve()
    return answer.promise
  }
  const listener = await serve({ fetch: fetchApp }, { host, port: 0 })
  const url = `http://${host}:${listener.port}`
  const asked = fetch(url)
  await began.promise
  const closed = listener.close(10_000)
  const accepts = async () => {
    const socket = connect(listener.port, host)
    return await once(socket, 'connect').then(
      () => Boolean(socket.destroy()),
      () => false,
    )
  }
  await expect.poll(accepts).toBe(false)
  answer.resolve(new Response('done'))
  expect(await (await asked).text()).toBe('done')
  await closed
})

test('a request that takes too long is cut after the grace period', async () => {
  const began = Promise.withResolvers<void>()
  const never = () => {
    began.resolve()
    return new Promise<Response>(() => {})
  }
  const listener = await serve({ fetch: never }, { host, port: 0 })
  const asked = fetch(`http://${host}:${listener.port}`)
  asked.catch(() => {})
  await began.promise
  await listener.close(50)
  await expect(asked).rejects.toThrow()
})

test('an idle connection does not delay the close', async () => {
  const listener = await serve({ fetch: () => new Response('ok') }, { host, port: 0 })
  const socket = connect(listener.port, host)
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  await once(socket, 'data')
  const ended = once(socket, 'close')
  await listener.close(10_000)
  await ended
})

test('once stopping, responses ask the client to close', async () => {
  const stopping = new AbortController()
  const answer = { fetch: () => new Response('ok') }
  const listener = await serve(answer, { host, port: 0, signal: stopping.signal })
  const url = `http://${host}:${listener.port}`
  expect((await fetch(url)).headers.get('connection')).toBe('keep-alive')
  stopping.abort()
  expect((await fetch(url)).headers.get('connection')).toBe('close')
  await listener.close(1_000)
})

test('once stopping, so do responses to requests from before', async () => {
  const stopping = new AbortController()
  const fetchApp = () => {
    stopping.abort()
    return new Response('ok')
  }
  const listener = await serve({ fetch: fetchApp }, { host, port: 0, signal: stopping.signal })
  expect((await fetch(`http://${host}:${listener.port}`)).headers.get('connection')).toBe('close')
  await listener.close(1_000)
})

test('a request that has arrived and was not read yet is answered', async () => {
  const listener = await serve({ fetch: () => new Response('ok') }, { host, port: 0 })
  const socket = connect(listener.port, host)
  const request = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n'
  socket.write(request)
  await once(socket, 'data')
  socket.write(request)
  const closed = listener.close(10_000)
  const [answer] = await once(socket, 'data')
  expect(String(answer)).toMatch(/^HTTP\/1\.1 200 /)
  await closed
})

test('idle connections make room for new ones, and none with a request is closed', async () => {
  const answer = Promise.withResolvers<Response>()
  const app = { fetch: ({ url }: Request) => (url.endsWith('/slow') ? answer.promise : new Response('ok')) }
  const connections = 40
  const listener = await serve(app, { host, port: 0, connections })
  const url = `http://${host}:${listener.port}`
  const slow = fetch(`${url}/slow`)
  const idle = async () => {
    const socket = connect(listener.port, host)
    socket.on('error', () => {})
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
    await once(socket, 'data')
  }
  for (let i = 0; i < 2 * connections; i++) await idle()
  expect(await (await fetch(url)).text()).toBe('ok')
  answer.resolve(new Response('done'))
  expect(await (await slow).text()).toBe('done')
  await listener.close(1_000)
})

test('a port in use is reported in one clear line', async () => {
  const listener = await serve({ fetch: () => new Response('ok') }, { host, port: 0 })
  const second = serve({ fetch: () => new Response('ok') }, { host, port: listener.port })
  await expect(second).rejects.toThrow(`Port ${listener.port} is in use: `)
  await listener.close(0)
})

test.each(['EAFNOSUPPORT', 'EADDRNOTAVAIL'])(
  'without IPv6 in the kernel (%s), the wildcard address means all of IPv4',
  async (code) => {
    const real = Server.prototype.listen
    const listen = vi.spyOn(Server.prototype, 'listen').mockImplementation(function (
      this: Server,
      ...args: unknown[]
    ) {
      if (args[1] !== '::') return real.apply(this, args as Parameters<typeof real>)
      process.nextTick(() => this.emit('error', Object.assign(new Error(`listen ${code}`), { code })))
      return this
    })
    onTestFinished(() => listen.mockRestore())
    const app = { fetch: () => new Response('ok') }
    const listener = await serve(app, { host: '::', port: 0 })
    expect(await (await fetch(`http://${host}:${listener.port}`)).text()).toBe('ok')
    await listener.close(0)
  },
)
