import { createServer } from 'node:http'
import { networkInterfaces } from 'node:os'
import { expect, test } from 'vitest'
import { isLoopback, statusOf, urlOf } from './address.ts'

test.each([
  ['127.0.0.1', 'http://localhost:8081'],
  ['localhost', 'http://localhost:8081'],
  ['0.0.0.0', 'http://localhost:8081'],
  ['::', 'http://localhost:8081'],
  ['0:0:0:0:0:0:0:0', 'http://localhost:8081'],
  ['::1', 'http://[::1]:8081'],
  ['[::1]', 'http://[::1]:8081'],
  ['127.0.0.2', 'http://127.0.0.2:8081'],
  ['fe80::1%eth0', 'http://[fe80::1%25eth0]:8081'],
  ['books.example', 'http://books.example:8081'],
])('a service that listens on %s is at %s', (host, url) => {
  expect(urlOf(host, 8081)).toBe(url)
})

const hasIPv6 = Object.values(networkInterfaces())
  .flat()
  .some((it) => it?.address === '::1')

test.for(['127.0.0.1', '0.0.0.0', '::1', '::', '[::]'])(
  'a server that listens on %s is reached',
  async (host, context) => {
    context.skip(host.includes(':') && !hasIPv6, 'this machine has no IPv6')
    const server = createServer((_request, response) => response.writeHead(204).end())
    await new Promise<void>((resolve) => server.listen(0, host.replace(/[[\]]/g, ''), resolve))
    const { port } = server.address() as { port: number }
    expect(await statusOf(host, port, '/', AbortSignal.timeout(5_000))).toBe(204)
    await new Promise((resolve) => server.close(resolve))
  },
)

test('loopback is distinguished from addresses that others can reach', () => {
  expect(['127.0.0.1', '127.1', '::1', '[::1]', 'localhost'].filter(isLoopback)).toHaveLength(5)
  expect(['0.0.0.0', '::', '10.0.0.1', 'books.example'].filter(isLoopback)).toEqual([])
})
