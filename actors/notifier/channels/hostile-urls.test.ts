/** Webhook URLs that try to reach our own servers. None of them may be connected to. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { WebhookSink } from '../../../tests/doubles/webhook-sink.ts'
import { deliver, notice } from './testing.ts'
import { webhookChannel } from './webhook.ts'

/** Listens on every address of this machine and counts connections. */
let ours: Server
let port: number
let visitors: Socket[]
beforeAll(async () => {
  ours = createServer((socket) => {
    visitors.push(socket)
    socket.on('error', () => {}).end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
  })
  await once(ours.listen(0), 'listening')
  port = (ours.address() as AddressInfo).port
})
beforeEach(() => {
  visitors = []
})
afterEach(() => {
  for (const visitor of visitors) visitor.destroy()
})
afterAll(() => new Promise((resolve) => ours.close(resolve)))

/** The names of this test and their addresses. */
const names: Record<string, string[]> = {
  'loopback.example': ['127.0.0.1'],
  'loopback6.example': ['::1'],
  'mapped.example': ['::ffff:127.0.0.1'],
  'nat64.example': ['64:ff9b::7f00:1'],
  '6to4.example': ['2002:7f00:1::1'],
  'teredo.example': ['2001:0:7f00:1::1'],
  'metadata.google.internal': ['169.254.169.254'],
  'intranet.example': ['10.0.0.1'],
  'one-of-two.example': ['93.184.216.34', '127.0.0.1'],
  'last-of-two.example': ['2606:4700::1', 'fe80::1'],
  '127.0.0.1.nip.example': ['127.0.0.1'],
  'odd.example': ['0x7f.1'],
  localhost: ['127.0.0.1', '::1'],
  'localhost.': ['127.0.0.1'],
  'nowhere.example': [],
}
const lookup = async (name: string) => names[name] ?? []

const hostile = [
  // Plain notation.
  'https://127.0.0.1:PORT/',
  'https://127.255.255.254:PORT/',
  'https://localhost:PORT/',
  'https://LOCALHOST:PORT/',
  'https://localhost.:PORT/',
  'https://0.0.0.0:PORT/',
  'https://[::1]:PORT/',
  'https://[::]:PORT/',
  // Unusual notations.
  'https://2130706433:PORT/',
  'https://017700000001:PORT/',
  'https://0x7f000001:PORT/',
  'https://0177.0.0.1:PORT/',
  'https://0x7f.0.0.1:PORT/',
  'https://0x7f.1:PORT/',
  'https://127.1:PORT/',
  'https://127.0.0.1.:PORT/',
  'https://0:PORT/',
  'https://%31%32%37.0.0.1:PORT/',
  'https://①②⑦.⓪.⓪.①:PORT/',
  'https://１２７.０.０.１:PORT/',
  'https://127。0。0。1:PORT/',
  'https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:PORT/',
  'https:127.0.0.1:PORT',
  'https:\\\\127.0.0.1:PORT\\',
  'https://127.0.0.1\t:PORT/',
  // IPv4 inside IPv6.
  'https://[::ffff:127.0.0.1]:PORT/',
  'https://[::ffff:7f00:1]:PORT/',
  'https://[::127.0.0.1]:PORT/',
  'https://[64:ff9b::127.0.0.1]:PORT/',
  'https://[64:ff9b:1::127.0.0.1]:PORT/',
  'https://[2002:7f00:1::]:PORT/',
  'https://[2001:0:7f00:1::]:PORT/',
  // Private, link-local and cloud networks.
  'https://10.0.0.1/',
  'https://172.16.0.1/',
  'https://192.168.0.1/',
  'https://100.64.0.1/',
  'https://169.254.169.254/latest/meta-data/',
  'https://[fd00:ec2::254]/latest/meta-data/',
  'https://[fe80::1]/',
  'https://224.0.0.1/',
  'https://255.255.255.255/',
  // Names.
  ...Object.keys(names).map((name) => `https://${name}:PORT/`),
  // Credentials and other tricks around the host.
  'https://user:password@127.0.0.1:PORT/',
  'https://public.example@127.0.0.1:PORT/',
  'https://user:password@public.example:PORT/',
  'https://127.0.0.1:PORT#@public.example/',
  'https://127.0.0.1:PORT\\@public.example/',
  // Other protocols.
  'http://127.0.0.1:PORT/',
  'http://public.example:PORT/',
  'ftp://127.0.0.1:PORT/',
  'gopher://127.0.0.1:PORT/_GET',
  'file:///etc/passwd',
  'data:text/plain,hello',
  'javascript:fetch("https://127.0.0.1:PORT")',
  '//127.0.0.1:PORT/',
  '127.0.0.1:PORT',
  '',
]

const strict = () => webhookChannel({ lookup, limitMs: 2_000, allowPrivate: false })
const at = (url: string) => notice({ webhook: url.replaceAll('PORT', String(port)) })

test('there are at least fifty hostile URLs', () => {
  expect(new Set(hostile).size).toBeGreaterThanOrEqual(50)
})

test.each(hostile)('X1, X2: %j is refused, and none of our servers is connected to', async (url) => {
  const [outcome] = await deliver(strict(), at(url))
  const unknown = url.includes('nowhere.example')
  expect(outcome).toMatchObject({ type: unknown ? 'retry' : 'failed' })
  expect(visitors).toEqual([])
})

test('with private addresses allowed, the same URLs would have reached us', async () => {
  const open = webhookChannel({ lookup, limitMs: 2_000, allowPrivate: true })
  const reaching = ['https://2130706433:PORT/', 'https://loopback.example:PORT/', 'https://①②⑦.⓪.⓪.①:PORT/']
  await deliver(open, ...reaching.map(at))
  expect(visitors).toHaveLength(3)
})

test('X2: a name that resolves differently each time is resolved once, and connected to the address that was checked', async () => {
  const asked: string[] = []
  // An unassigned global unicast address.
  const rebinding = async (name: string) => (asked.push(name) === 1 ? ['2d00::1'] : ['127.0.0.1'])
  const channel = webhookChannel({ lookup: rebinding, limitMs: 500, allowPrivate: false })
  const [outcome] = await deliver(channel, at('https://rebinding.example:PORT/'))
  expect(outcome).toMatchObject({ type: 'retry' })
  expect(asked).toEqual(['rebinding.example'])
  expect(visitors).toEqual([])
})

test('the next call resolves the name again, and refuses its new address', async () => {
  let answer = ['2d00::1']
  const channel = webhookChannel({ lookup: async () => answer, limitMs: 200, allowPrivate: false })
  await channel.deliver(at('https://rebinding.example:PORT/'))
  answer = ['127.0.0.1']
  expect(await deliver(channel, at('https://rebinding.example:PORT/'))).toEqual([
    { type: 'failed', error: 'Cannot call the webhook: its address is not public' },
  ])
  expect(visitors).toEqual([])
})

test('a lookup that takes too long is abandoned, and nothing is sent when it ends', async () => {
  const late = Promise.withResolvers<string[]>()
  const channel = webhookChannel({ lookup: () => late.promise, limitMs: 50, allowPrivate: true })
  const outcome = await channel.deliver(at('http://late.example:PORT/'))
  expect(outcome).toEqual({ type: 'retry', error: 'Cannot call the webhook: no answer in time' })
  late.resolve(['127.0.0.1'])
  await late.promise
  // A later call gets through, and is the only one.
  await deliver(channel, at('http://127.0.0.1:PORT/'))
  expect(visitors).toHaveLength(1)
})

test.each([301, 302, 303, 307, 308])('X3: a %i to one of our servers is not followed', async (status) => {
  await using stranger = await WebhookSink.start()
  stranger.answer = (_, response) =>
    response
      .writeHead(status, { location: `http://127.0.0.1:${port}/`, refresh: `0; http://127.0.0.1:${port}/` })
      .end()
  const channel = webhookChannel({ lookup, allowPrivate: true })
  const [outcome] = await deliver(channel, notice({ webhook: stranger.url }))
  expect(['retry', 'failed']).toContain(outcome!.type)
  expect(stranger.hooks).toHaveLength(1)
  expect(visitors).toEqual([])
})
