import { randomUUID } from 'node:crypto'
import pino from 'pino'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type App, createApp } from '../http/app.ts'
import { createMetrics } from '../metrics.ts'
import { mountNotifier } from './http.ts'
import { claimDue, markAll } from './queue.ts'
import { NotifierDatabase, refused, released, reserved } from './testing.ts'

let database: NotifierDatabase
let app: App
beforeAll(async () => {
  database = await NotifierDatabase.create()
  app = faceOf(false)
})
beforeEach(async () => {
  await database.sql`truncate notice, undelivered, customer`
})
afterAll(() => database[Symbol.asyncDispose]())

function faceOf(allowPrivate: boolean): App {
  const log = pino({ level: 'silent' })
  const face = createApp({
    service: 'notifier',
    title: '',
    description: '',
    log,
    metrics: createMetrics('notifier'),
  })
  mountNotifier({ app: face, sql: database.sql, allowPrivate })
  return face
}

// biome-ignore lint/suspicious/noExplicitAny: bodies are looked at with matchers.
type Answer = { status: number; headers: Headers; body: any }
async function ask(method: string, path: string, body?: unknown, face = app): Promise<Answer> {
  const response = await face.request(path, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })
  return { status: response.status, headers: response.headers, body: await response.json() }
}
const get = (path: string) => ask('GET', path)
/** Of notices that go through the queue. */
const idsOf = ({ body }: Answer): string[] =>
  body._embedded.notices
    .filter((it: { channel: string }) => it.channel !== 'console')
    .map((it: { reservationid: string }) => it.reservationid)

test('a contact is new at first, then replaced as a whole', async () => {
  const full = { email: 'a@example.com', webhook: 'https://chat.example/hook', locale: 'en' }
  const first = await ask('PUT', '/customers/test1', full)
  expect(first).toMatchObject({ status: 201, body: { userid: 'test1', ...full } })
  expect(first.headers.get('location')).toBe('/customers/test1')
  expect(await ask('PUT', '/customers/test1', { email: 'b@example.com', extra: 1 })).toMatchObject({
    status: 200,
    body: { email: 'b@example.com', webhook: null, locale: 'ko' },
  })
  expect(await get('/customers/test1')).toMatchObject({
    status: 200,
    body: { email: 'b@example.com', _links: { self: { href: '/customers/test1' } } },
  })
})

test('what was read can be written back, and a customer may leave nothing at all', async () => {
  const { body } = await ask('PUT', '/customers/a%2Fb', {})
  expect(body).toMatchObject({ userid: 'a/b', email: null, webhook: null })
  expect((await ask('PUT', '/customers/a%2Fb', body)).status).toBe(200)
  expect((await get(body._links.self.href)).status).toBe(200)
})

test('a customer who left no contact is not found', async () => {
  expect(await get('/customers/nobody')).toMatchObject({ status: 404, body: { type: '/problems/not-found' } })
})

test.each([
  ['/email', { email: 'no address' }],
  ['/email', { email: 'a@example.com\r\nBcc: b@example.com' }],
  ['/email', { email: 'a@example.com, b@example.com' }],
  ['/email', { email: 7 }],
  ['/webhook', { webhook: 'chat.example' }],
  ['/webhook', { webhook: 'http://chat.example/' }],
  ['/webhook', { webhook: 'file:///etc/passwd' }],
  ['/webhook', { webhook: 'https://user:secret@chat.example/' }],
  ['/webhook', { webhook: 'https://127.0.0.1/' }],
  ['/webhook', { webhook: 'https://[::1]/' }],
  ['/webhook', { webhook: 'https://2130706433/' }],
  ['/webhook', { webhook: 'https://localhost/' }],
  ['/webhook', { webhook: `https://chat.example/${'x'.repeat(2_048)}` }],
  ['/webhook', { webhook: 'https://chat.example/\0' }],
  ['/locale', { locale: 'not a locale' }],
])('a contact with a bad %s is refused: %j', async (pointer, contact) => {
  const { status, body } = await ask('PUT', '/customers/test1', contact)
  expect({ status, pointer: body.errors?.[0]?.pointer }).toEqual({ status: 400, pointer })
  expect((await get('/customers/test1')).status).toBe(404)
})

test('in development a webhook may be http and private, but never anything else', async () => {
  const lax = faceOf(true)
  expect((await ask('PUT', '/customers/a', { webhook: 'http://127.0.0.1:9/' }, lax)).status).toBe(201)
  expect((await ask('PUT', '/customers/a', { webhook: 'ftp://127.0.0.1/' }, lax)).status).toBe(400)
})

test('notices are listed newest first, page by page', async () => {
  const ids = Array.from({ length: 5 }, () => randomUUID())
  for (const reservationid of ids) await database.commit([reserved({ reservationid })])
  const first = await get('/notices?limit=4')
  const second = await get(first.body._links.next.href)
  const third = await get(second.body._links.next.href)
  expect([first, second, third].flatMap(idsOf)).toEqual(ids.toReversed())
  expect(third.body._links.next).toBeUndefined()
})

test('notices are found by customer and by status', async () => {
  const ids = Array.from({ length: 5 }, () => randomUUID())
  const [a, b, c, d, e] = ids as [string, string, string, string, string]
  await database.commit([reserved({ reservationid: a }), refused({ reservationid: b })])
  const claimed = await claimDue(database.sql, 'chat', 2, 60_000)
  const [sent, failed] = claimed.map((it) => ({ ...it, error: 'because', afterMs: 0 }))
  await markAll(database.sql, [
    { ...sent!, outcome: 'sent' },
    { ...failed!, outcome: 'failed' },
  ])
  await database.commit([reserved({ reservationid: c }), released({ reservationid: c })])
  await database.commit([reserved({ reservationid: d, userid: 'other' }), refused({ reservationid: e })])
  const by = async (query: string) => idsOf(await get(`/notices?${query}`))
  expect(await by('userid=other')).toEqual([d])
  expect(await by('status=sent')).toEqual([a])
  expect(await by('status=failed')).toEqual([b])
  expect(await by('status=superseded')).toEqual([c])
  expect(await by('status=pending')).toEqual([e, d, c])
  expect(await by('userid=test1&status=pending')).toEqual([e, c])
  expect(await by('userid=test1&status=failed')).toEqual([b])
  expect(await by('userid=nobody')).toEqual([])
})

test('a notice says what became of it', async () => {
  const reservationid = randomUUID()
  await database.commit([refused({ reservationid })])
  const [claimed] = await claimDue(database.sql, 'chat', 1, 60_000)
  await markAll(database.sql, [{ ...claimed!, outcome: 'retry', error: 'because', afterMs: 60_000 }])
  const { body } = await get(`/notices/${claimed!.noticeid}`)
  expect(body).toEqual({
    noticeid: claimed!.noticeid,
    kind: 'failed',
    channel: 'chat',
    userid: 'test1',
    bookid: '1',
    reservationid,
    reason: 'OutOfStock',
    shortage: null,
    status: 'pending',
    attempts: 1,
    lastError: 'because',
    createdAt: expect.any(String),
    sentAt: null,
    _links: { self: { href: `/notices/${claimed!.noticeid}` } },
  })
})

test.each([
  '/notices/nonsense',
  '/notices?status=lost',
  '/notices?limit=0',
  '/notices?after=x',
  '/notices?userid=a%20b',
])('%s is refused', async (path) => {
  expect((await get(path)).status).toBe(400)
})

test('a notice that never was is not found', async () => {
  expect((await get(`/notices/${randomUUID()}`)).status).toBe(404)
})
