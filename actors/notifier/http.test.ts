import { randomUUID } from 'node:crypto'
import pino from 'pino'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type App, createApp } from '../../platform/http/app.ts'
import { Reads } from '../../platform/http/reads.ts'
import { createMetrics } from '../../platform/metrics.ts'
import type { ChannelName } from './channels/all.ts'
import { claimDue, markAll } from './delivery/queue.ts'
import { mountNotifier } from './http.ts'
import { readBacklog } from './operators/backlog.ts'
import { everybody, received, refused, released, reserved, route } from './plan/testing.ts'
import { samples } from './templates/samples.ts'
import { mark, NotifierDatabase } from './testing.ts'

let database: NotifierDatabase
let app: App
beforeAll(async () => {
  database = await NotifierDatabase.create()
  app = faceOf(false)
})
beforeEach(async () => {
  await database.sql`truncate notice, undelivered, attempt, alert, customer, book`
})
afterAll(() => database[Symbol.asyncDispose]())

function faceOf(allowPrivate: boolean, routing = everybody): App {
  const log = pino({ level: 'silent' })
  const face = createApp({
    service: 'notifier',
    title: '',
    description: '',
    log,
    metrics: createMetrics('notifier'),
  })
  mountNotifier({
    app: face,
    sql: database.sql,
    reads: new Reads(database.sql, 2),
    allowPrivate,
    routing,
    alertToken: undefined,
    print() {},
    wake() {},
  })
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
/** Only notices that go through the queue. */
const idsOf = ({ body }: Answer): string[] =>
  body._embedded.notices
    .filter((it: { channel: string }) => it.channel !== 'console')
    .map((it: { reservationid: string }) => it.reservationid)

test('a contact is created, then replaced as a whole', async () => {
  const full = {
    email: 'a@example.com',
    webhook: 'https://chat.example/hook',
    channels: ['sms', 'email'],
    locale: 'en',
  }
  const first = await ask('PUT', '/customers/test1', { ...full, phone: '+82 (10) 1234-5678' })
  const shown = { ...full, webhook: 'https://chat.example/***', phone: '+821012345678' }
  expect(first).toMatchObject({ status: 201, body: { userid: 'test1', ...shown } })
  expect(first.headers.get('location')).toBe('/customers/test1')
  expect(await ask('PUT', '/customers/test1', { email: 'b@example.com', extra: 1 })).toMatchObject({
    status: 200,
    body: { email: 'b@example.com', webhook: null, phone: null, channels: null, locale: 'ko' },
  })
  expect(await get('/customers/test1')).toMatchObject({
    status: 200,
    body: { email: 'b@example.com', _links: { self: { href: '/customers/test1' } } },
  })
})

test('a customer without a locale gets the default of the library', async () => {
  const english = faceOf(false, { ...everybody, locale: 'en' })
  expect((await ask('PUT', '/customers/a', {}, english)).body.locale).toBe('en')
})

test('a contact that was read can be written back, and may be empty', async () => {
  const { body } = await ask('PUT', '/customers/a%2Fb', {})
  expect(body).toMatchObject({ userid: 'a/b', email: null, webhook: null })
  expect((await ask('PUT', '/customers/a%2Fb', body)).status).toBe(200)
  expect((await get(body._links.self.href)).status).toBe(200)
})

const storedWebhook = async (userid: string) =>
  (await database.sql<{ webhook: string }[]>`select webhook from customer where userid = ${userid}`)[0]!
    .webhook

test.each([
  ['https://chat.example/services/T0/B0/s3cret', 'https://chat.example/***'],
  ['https://chat.example:8443/?token=s3cret', 'https://chat.example:8443/***'],
  ['https://chat.example/#s3cret', 'https://chat.example/***'],
  ['https://chat.example', 'https://chat.example'],
  ['https://chat.example/', 'https://chat.example/'],
])('of the webhook %s is shown %s, and written back it stays', async (webhook, shown) => {
  const put = await ask('PUT', '/customers/test1', { webhook, channels: ['webhook'] })
  const { body } = await get('/customers/test1')
  expect([put.body.webhook, body.webhook]).toEqual([shown, shown])
  expect(await ask('PUT', '/customers/test1', { ...body, locale: 'en' })).toMatchObject({
    status: 200,
    body: { webhook: shown, locale: 'en' },
  })
  expect(await storedWebhook('test1')).toBe(webhook)
})

test('the masked form of another webhook, or of none, is refused', async () => {
  const webhook = 'https://chat.example/s3cret'
  await ask('PUT', '/customers/test1', { webhook })
  for (const [userid, shown] of [
    ['test1', 'https://other.example/***'],
    ['test2', 'https://chat.example/***'],
  ]) {
    const { status, body } = await ask('PUT', `/customers/${userid}`, { webhook: shown })
    expect({ status, pointer: body.errors?.[0]?.pointer }).toEqual({ status: 400, pointer: '/webhook' })
  }
  expect(await storedWebhook('test1')).toBe(webhook)
  expect((await get('/customers/test2')).status).toBe(404)
})

test('addresses are stored in the form that delivery needs', async () => {
  const given = {
    email: 'kim@한국.kr',
    phone: '+82 (0)10-1234-5678',
    webhook: 'https://한국.kr/hook',
  }
  const { status, body } = await ask('PUT', '/customers/test1', given)
  expect(status).toBe(201)
  expect(body).toMatchObject({
    email: 'kim@xn--3e0b707e.kr',
    phone: '+821012345678',
    webhook: 'https://xn--3e0b707e.kr/***',
  })
  expect(await storedWebhook('test1')).toBe('https://xn--3e0b707e.kr/hook')
})

test('a customer without a contact is not found', async () => {
  expect(await get('/customers/nobody')).toMatchObject({ status: 404, body: { type: '/problems/not-found' } })
})

test.each([
  ['/email', { email: 'no address' }],
  ['/email', { email: 'a@example.com\r\nBcc: b@example.com' }],
  ['/email', { email: 'a@example.com, b@example.com' }],
  ['/email', { email: 7 }],
  ['/email', { email: 'josé@example.com' }],
  ['/webhook', { webhook: 'https://api.localhost/' }],
  ['/webhook', { webhook: 'https://metadata.google.internal/' }],
  ['/webhook', { webhook: 'https://chat.example:0/' }],
  ['/webhook', { webhook: 'https:///' }],
  ['/phone', { phone: '+1 213 555 1234' }],
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
  ['/phone', { phone: '010-1234-5678' }],
  ['/phone', { phone: '+82 10 1234 5678; drop' }],
  ['/phone', { phone: 821012345678 }],
  ['/channels/0', { channels: ['pigeon'] }],
  ['/channels/0', { email: 'a@example.com', channels: ['chat'] }],
  ['/channels', { email: 'a@example.com', channels: ['email', 'email'] }],
  ['/channels', { channels: 'email' }],
  ['/channels/1', { email: 'a@example.com', channels: ['email', 'sms'] }],
])('a contact with a bad %s is refused: %j', async (pointer, contact) => {
  const { status, body } = await ask('PUT', '/customers/test1', contact)
  expect({ status, pointer: body.errors?.[0]?.pointer }).toEqual({ status: 400, pointer })
  expect((await get('/customers/test1')).status).toBe(404)
})

test('in development a webhook may be http and private, but nothing else', async () => {
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
  await markAll(database.sql, [mark(claimed[0]!, 'sent'), mark(claimed[1]!, 'failed')])
  await database.commit([reserved({ reservationid: c }), released({ reservationid: c })])
  await database.commit([reserved({ reservationid: d, userid: 'other' }), refused({ reservationid: e })])
  const by = async (query: string) => idsOf(await get(`/notices?${query}`))
  expect(await by('userid=other')).toEqual([d])
  expect(await by('status=Sent')).toEqual([a])
  expect(await by('status=Failed')).toEqual([b])
  expect(await by('status=Superseded')).toEqual([c])
  expect(await by('status=Pending')).toEqual([e, d, c])
  expect(await by('userid=test1&status=Pending')).toEqual([e, c])
  expect(await by('userid=test1&status=Failed')).toEqual([b])
  expect(await by('userid=nobody')).toEqual([])
})

test('notices are found by kind and by channel, together with the other filters', async () => {
  const [a, b, c] = [randomUUID(), randomUUID(), randomUUID()] as const
  await database.commit([reserved({ reservationid: a }), refused({ reservationid: b })])
  await database.commit([reserved({ reservationid: c, userid: 'other' })])
  const by = async (query: string) => idsOf(await get(`/notices?${query}`))
  expect(await by('kind=reserved')).toEqual([c, a])
  expect(await by('kind=failed')).toEqual([b])
  expect(await by('kind=alert')).toEqual([])
  expect(await by('channel=chat&kind=reserved&userid=test1&status=Pending')).toEqual([a])
  expect(await by('channel=sms')).toEqual([])
  const { body } = await get('/notices?channel=console&limit=2')
  expect(body._embedded.notices).toMatchObject([{ channel: 'console' }, { channel: 'console' }])
  expect((await get(body._links.next.href)).body._embedded.notices).toMatchObject([{ channel: 'console' }])
})

test('the backlog counts due notices by channel, and those that were given up', async () => {
  const backlog = () => readBacklog(database.sql, ['chat', 'email'])
  const none = { count: 0, oldestSeconds: null }
  expect(await backlog()).toEqual([
    { name: 'DueNotices', channel: 'chat', ...none },
    { name: 'DueNotices', channel: 'email', ...none },
    { name: 'FailedNotices', channel: null, ...none },
  ])
  await database.commit(Array.from({ length: 3 }, () => refused({ reservationid: randomUUID() })))
  const [claimed] = await claimDue(database.sql, 'chat', 1, 60_000)
  await markAll(database.sql, [mark(claimed!, 'failed')])
  await database.sql`update notice set created_at = created_at - interval '1 hour'`
  const [due, , failed] = await backlog()
  expect(due).toMatchObject({ count: 2, oldestSeconds: expect.any(Number) })
  expect(failed).toMatchObject({ count: 1 })
  expect(failed!.oldestSeconds).toBeGreaterThan(3_599)
})

test('a notice shows its attempts', async () => {
  const reservationid = randomUUID()
  await database.commit([refused({ reservationid })])
  const [claimed] = await claimDue(database.sql, 'chat', 1, 60_000)
  await markAll(database.sql, [mark(claimed!, 'retry', { answer: '503 busy', afterMs: 60_000 })])
  const { body } = await get(`/notices/${claimed!.noticeid}`)
  expect(body).toEqual({
    noticeid: claimed!.noticeid,
    kind: 'failed',
    channel: 'chat',
    userid: 'test1',
    bookid: '1',
    title: null,
    reservationid,
    reason: 'OutOfStock',
    shortage: null,
    status: 'Pending',
    attempts: 1,
    lastError: 'because',
    createdAt: expect.any(String),
    sentAt: null,
    log: [
      { at: expect.any(String), channel: 'chat', outcome: 'Retry', error: 'because', answer: '503 busy' },
    ],
    _links: { self: { href: `/notices/${claimed!.noticeid}` } },
  })
})

test('a notice shows the title of its book, alone and in lists', async () => {
  await database.commit([received('Momo'), reserved({ reservationid: randomUUID() })])
  const { noticeid } = (await database.notices())[0]!
  expect((await get(`/notices/${noticeid}`)).body.title).toBe('Momo')
  for (const query of ['', '?userid=test1', '?status=Pending'])
    expect((await get(`/notices${query}`)).body._embedded.notices[0]).toMatchObject({
      bookid: '1',
      title: 'Momo',
    })
})

const patch = (noticeid: string, status: string) => ask('PATCH', `/notices/${noticeid}`, { status })
const claimOne = async () => (await claimDue(database.sql, 'chat', 1, 60_000))[0]!

test('an operator can retry a failed notice, which then has as much time as a new one', async () => {
  await database.commit([refused({ reservationid: randomUUID() })])
  const first = await claimOne()
  await markAll(database.sql, [mark(first, 'failed')])
  expect(await claimDue(database.sql, 'chat', 1, 60_000)).toEqual([])
  expect(await patch(first.noticeid, 'Pending')).toMatchObject({ status: 200, body: { status: 'Pending' } })
  // A repeated request changes nothing.
  expect(await patch(first.noticeid, 'Pending')).toMatchObject({ status: 200, body: { status: 'Pending' } })
  const again = await claimOne()
  expect(again).toMatchObject({ noticeid: first.noticeid, attempts: 2, retried: true })
  await markAll(database.sql, [mark(again, 'sent')])
  const { body } = await get(`/notices/${first.noticeid}`)
  expect(body).toMatchObject({ status: 'Sent', log: [{ outcome: 'Failed' }, { outcome: 'Sent' }] })
  expect(await patch(first.noticeid, 'Pending')).toMatchObject({
    status: 409,
    body: { type: '/problems/conflict', detail: 'A notice that is Sent cannot become Pending.' },
  })
})

test('a suppressed notice is not sent until an operator retries it', async () => {
  const reservationid = randomUUID()
  await database.commit([refused({ reservationid })])
  const { noticeid } = (await database.notices())[0]!
  expect(await patch(noticeid, 'Suppressed')).toMatchObject({ status: 200, body: { status: 'Suppressed' } })
  expect(await patch(noticeid, 'Suppressed')).toMatchObject({ status: 200, body: { status: 'Suppressed' } })
  expect(await claimDue(database.sql, 'chat', 1, 60_000)).toEqual([])
  expect(idsOf(await get('/notices?status=Suppressed'))).toEqual([reservationid])
  expect(idsOf(await get('/notices?status=Superseded'))).toEqual([])
  await patch(noticeid, 'Pending')
  expect(await claimOne()).toMatchObject({ noticeid })
})

test('a notice that arrived although it was suppressed during its delivery is sent', async () => {
  await database.commit([refused({ reservationid: randomUUID() })])
  const claimed = await claimOne()
  await patch(claimed.noticeid, 'Suppressed')
  await markAll(database.sql, [mark(claimed, 'sent')])
  expect((await get(`/notices/${claimed.noticeid}`)).body).toMatchObject({ status: 'Sent', log: [{}] })
  expect((await patch(claimed.noticeid, 'Suppressed')).status).toBe(409)
})

test('a superseded notice can be neither suppressed nor retried', async () => {
  const reservationid = randomUUID()
  await database.commit([reserved({ reservationid }), released({ reservationid })])
  const { noticeid } = (await database.notices())[0]!
  for (const status of ['Pending', 'Suppressed']) expect((await patch(noticeid, status)).status).toBe(409)
  expect((await patch(randomUUID(), 'Pending')).status).toBe(404)
  expect((await patch(noticeid, 'Sent')).status).toBe(400)
})

test("a notice that every channel refused is retried from the first channel of the customer's current order", async () => {
  await ask('PUT', '/customers/test1', { email: 'a@example.com', phone: '+821012345678' })
  await database.commit([refused({ reservationid: randomUUID() })], { routing: route(['email', 'sms']) })
  const take = async (channel: ChannelName) => (await claimDue(database.sql, channel, 1, 60_000))[0]!
  await markAll(database.sql, [mark(await take('email'), 'fallback', { channel: 'email', next: 'sms' })])
  const { noticeid } = await take('sms')
  await database.sql`update undelivered set due_at = now()`
  await markAll(database.sql, [mark(await take('sms'), 'failed', { channel: 'sms' })])
  await ask('PUT', '/customers/test1', { phone: '+821012345678', channels: ['kakao', 'sms'] })
  expect((await patch(noticeid, 'Pending')).body).toMatchObject({ channel: 'kakao', status: 'Pending' })
  expect(await take('kakao')).toMatchObject({ noticeid, refused: [] })
})

test('every notice can be previewed in every language', async () => {
  const { headers } = await app.request('/previews/')
  const index = await app.request(headers.get('location')!)
  const links = [...(await index.text()).matchAll(/href="([^"]+)"/g)].map(([, href]) => href!)
  expect(links).toHaveLength(2 * samples.length)
  for (const href of links) {
    const page = await app.request(`/previews/${href}`)
    expect(page.status, href).toBe(200)
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(await page.text(), href).toMatch(/^<!doctype html>/)
  }
  expect((await app.request('/previews/..%2Fpackage.json')).status).toBe(404)
})

test.each([
  '/notices/nonsense',
  '/notices?status=lost',
  '/notices?kind=lost',
  '/notices?channel=pigeon',
  '/alerts?status=firing',
  '/alerts?after=x',
  '/notices?limit=0',
  '/notices?after=x',
  '/notices?userid=a%20b',
])('%s is refused', async (path) => {
  expect((await get(path)).status).toBe(400)
})

test('a status in its old spelling is refused with the right ones', async () => {
  const names = expect.stringMatching(/"Pending"\|"Sent"\|"Failed"/)
  expect((await get('/notices?status=sent')).body.errors).toEqual([{ parameter: 'status', detail: names }])
  const { status, body } = await patch(randomUUID(), 'pending')
  expect(status).toBe(400)
  expect(body.errors).toEqual([
    { pointer: '/status', detail: expect.stringContaining('"Pending"|"Suppressed"') },
  ])
})

test('an unknown notice is not found', async () => {
  expect((await get(`/notices/${randomUUID()}`)).status).toBe(404)
})

test('a customer’s contact and notices are exported, and erased without sending what waits', async () => {
  await ask('PUT', '/customers/wren', { email: 'wren@example.com', webhook: 'https://chat.example/secret' })
  const [sent, waiting, other] = [randomUUID(), randomUUID(), randomUUID()]
  const to = (reservationid: string, userid: string) => reserved({ reservationid, userid })
  await database.commit([to(sent, 'wren')])
  const [claim] = await claimDue(database.sql, 'chat', 1, 1_000)
  await markAll(database.sql, [mark(claim!, 'sent', { answer: '250 wren@example.com' })])
  await database.commit([to(waiting, 'wren'), to(other, 'ben')])
  const kept = await get('/customers/wren/export')
  expect(kept.headers.get('content-disposition')).toContain('notices.json')
  expect(kept.body).toMatchObject({
    userid: 'wren',
    contact: { email: 'wren@example.com', webhook: 'https://chat.example/***' },
  })
  const chats = kept.body.notices.filter((it: { channel: string }) => it.channel === 'chat')
  expect(chats).toMatchObject([
    { reservationid: waiting, status: 'Pending', log: [] },
    { reservationid: sent, status: 'Sent', log: [{ outcome: 'Sent', answer: '250 wren@example.com' }] },
  ])
  const count = kept.body.notices.length
  const details = { type: 'reservation', cause: 'Staff', note: 'wren, we move.' }
  await database.sql`update notice set details = ${database.sql.json(details)} where reservationid = ${waiting}`

  expect((await ask('DELETE', '/customers/wren')).body).toEqual({ contact: true, notices: count })
  expect((await ask('DELETE', '/customers/wren')).body).toEqual({ contact: false, notices: 0 })
  expect((await get('/customers/wren/export')).body).toEqual({ userid: 'wren', contact: null, notices: [] })
  const text = JSON.stringify(
    await database.sql`select n, a from notice n left join attempt a on a.seq = n.seq`,
  )
  expect(text).not.toContain('wren')
  const due = await claimDue(database.sql, 'chat', 9, 1_000)
  expect(due.map((it) => it.reservationid)).toEqual([other])
  const again = await ask('PATCH', `/notices/${chats[0].noticeid}`, { status: 'Pending' })
  expect([again.status, again.body.type]).toEqual([409, '/problems/conflict'])
  // The same outcome again finds its notice, and is not sent.
  await database.commit([to(waiting, 'wren')])
  expect((await get('/customers/wren/export')).body.notices).toEqual([])
})
