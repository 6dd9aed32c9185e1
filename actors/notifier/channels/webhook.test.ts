import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { makeCertificate } from '../../../tests/doubles/certificate.ts'
import { type Hook, WebhookSink } from '../../../tests/doubles/webhook-sink.ts'
import type { DueNotice } from '../delivery/delivery.ts'
import { chatChannel } from './chat.ts'
import { secretFor } from './signing.ts'
import { alarming, deliver, notice, noticeid, traceparent } from './testing.ts'
import { webhookChannel } from './webhook.ts'

let hooks: WebhookSink
beforeAll(async () => {
  hooks = await WebhookSink.start()
})
beforeEach(() => {
  hooks.hooks.length = 0
  hooks.answer = (_, response) => response.writeHead(204).end()
})
afterAll(() => hooks[Symbol.asyncDispose]())

const webhook = (options = {}) => webhookChannel({ allowPrivate: true, ...options })
const hooked = (some: Partial<DueNotice> = {}) => notice({ webhook: hooks.url, ...some })

const secret = `whsec_${Buffer.alloc(24, 'old').toString('base64')}`
const newer = `whsec_${Buffer.alloc(32, 'new').toString('base64')}`

test('a webhook receives the notice as JSON, under the noticeid', async () => {
  expect(await deliver(webhook(), hooked({ locale: 'en' }))).toEqual([{ type: 'sent', answer: 'HTTP 204' }])
  const [hook] = hooks.hooks
  expect(hook!.headers).toEqual({
    host: `127.0.0.1:${hooks.port}`,
    connection: 'keep-alive',
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(hook!.raw)),
    'user-agent': 'bookreservation',
    'idempotency-key': noticeid,
    'webhook-id': noticeid,
    traceparent,
  })
  expect(hook!.body).toMatchObject({ noticeid, kind: 'reserved', bookid: 'B1', userid: 'test1' })
  expect(hook!.body).toMatchObject({ title: null, author: null })
  expect(hook!.body.text).toContain('Your reservation of B1 is confirmed')
})

test('its fields have the title and author unchanged, its text has them in safe words', async () => {
  const title = '[Momo](https://evil.example)'
  await deliver(webhook(), hooked({ title, author: '@ende', locale: 'en' }))
  const { body } = hooks.hooks[0]!
  expect(body).toMatchObject({ title, author: '@ende', bookid: 'B1' })
  expect(body.text).toContain('Your reservation of “(Momo)(https·evil·example)” is confirmed')
})

test('its fields have what the steps of a reservation say', async () => {
  const pickupBy = '2026-11-30T09:00:00Z'
  await deliver(webhook(), hooked({ kind: 'ready', details: { type: 'reservation', pickupBy } }))
  expect(hooks.hooks[0]!.body).toMatchObject({
    kind: 'ready',
    pickupBy,
    position: null,
    cause: null,
    note: null,
  })
})

/** Verifies with the reference library, which throws unless signature and time are right. */
const verify = (secret: string, { raw, headers }: Hook) =>
  new Webhook(secret).verify(raw, headers as Record<string, string>)

test('the signature proves that the call is ours, new and complete', async () => {
  await deliver(webhook({ secrets: [secret] }), hooked())
  const [hook] = hooks.hooks
  const its = secretFor('test1', secret)
  expect(its).toMatch(/^whsec_/)
  expect(verify(its, hook!)).toMatchObject({ noticeid })
  expect(() => verify(secretFor('test2', secret), hook!)).toThrow('No matching signature')
  expect(() => verify(secret, hook!)).toThrow('No matching signature')
  const forged = { ...hook!, raw: hook!.raw.replace('reserved', 'canceled') }
  expect(() => verify(its, forged)).toThrow('No matching signature')
})

test('each attempt has its own signature, so an old call cannot be replayed', async () => {
  let now = Date.now() - 6 * 60_000
  const channel = webhook({ secrets: [secret], now: () => now })
  await channel.deliver(hooked())
  now = Date.now()
  await deliver(channel, hooked())
  const [old, fresh] = hooks.hooks
  expect(() => verify(secretFor('test1', secret), old!)).toThrow('too old')
  expect(verify(secretFor('test1', secret), fresh!)).toMatchObject({ noticeid })
  expect(fresh!.headers['webhook-id']).toBe(old!.headers['webhook-id'])
})

test('while a secret is replaced, a receiver may know either', async () => {
  await deliver(webhook({ secrets: [newer, secret] }), hooked())
  for (const it of [newer, secret]) expect(verify(secretFor('test1', it), hooks.hooks[0]!)).toBeTruthy()
})

test('the signature is that of the specification', async () => {
  const given = { secrets: ['whsec_plJ3nmyCDGBKInavdOK15jsl'], now: () => 1_731_705_121_000 }
  await deliver(chatChannel({ url: hooks.url, ...given }), notice())
  const { raw, headers } = hooks.hooks[0]!
  expect(headers).toMatchObject({ 'webhook-id': noticeid, 'webhook-timestamp': '1731705121' })
  const expected = new Webhook('plJ3nmyCDGBKInavdOK15jsl').sign(noticeid, new Date(1_731_705_121_000), raw)
  expect(headers['webhook-signature']).toBe(expected)
})

test('X3: a redirect is not followed', async () => {
  await using elsewhere = await WebhookSink.start()
  for (const status of [301, 302, 303, 307, 308]) {
    hooks.answer = (_, response) => response.writeHead(status, { location: elsewhere.url }).end()
    await deliver(webhook(), hooked())
  }
  expect(hooks.hooks).toHaveLength(5)
  expect(elsewhere.connections).toBe(0)
})

test('a requested rest is passed on, and holds for the whole host', async () => {
  hooks.answer = (_, response) => response.writeHead(429, { 'retry-after': '120' }).end()
  const channel = webhook()
  expect(await channel.deliver(hooked())).toEqual({
    type: 'retry',
    error: 'The webhook answered 429',
    answer: 'HTTP 429',
    afterMs: 120_000,
  })
  const [outcome] = await deliver(channel, hooked())
  expect(outcome).toMatchObject({ type: 'deferred', error: 'The receiver asked to wait' })
  expect(hooks.hooks).toHaveLength(1)
})

test('X4: a webhook that does not answer costs no more than the limit', async () => {
  hooks.answer = () => {}
  expect(await deliver(webhook({ limitMs: 50 }), hooked())).toEqual([
    { type: 'retry', error: 'Cannot call the webhook: no answer in time' },
  ])
})

test('a 2xx status counts even if the rest of the answer never comes', async () => {
  hooks.answer = (_, response) => response.writeHead(200, { 'content-length': '100' }).write('half')
  expect(await deliver(webhook({ limitMs: 1_000 }), hooked())).toEqual([{ type: 'sent', answer: 'HTTP 200' }])
})

test('an answer that breaks off before its status is retried', async () => {
  hooks.answer = (_, response) => response.socket!.end('HTTP/1.1 20')
  expect(await deliver(webhook(), hooked())).toMatchObject([{ type: 'retry' }])
})

test('X4: an endless answer is not read to its end', async () => {
  const closed = Promise.withResolvers<number>()
  hooks.answer = (_, response) => {
    let bytes = 0
    response.writeHead(200)
    const more = () => {
      while (!response.destroyed && response.write('x'.repeat(16_384))) bytes += 16_384
    }
    response.on('drain', more).on('close', () => closed.resolve(bytes))
    more()
  }
  const channel = webhook({ limitMs: 20_000 })
  expect(await channel.deliver(hooked())).toEqual({ type: 'sent', answer: 'HTTP 200' })
  // The operating system's buffers may have taken more.
  expect(await closed.promise).toBeLessThan(16 * 1024 * 1024)
  channel.close!()
})

test('X2: https uses the name of the URL and the address that was checked', async () => {
  const certificate = await makeCertificate('hooks.example')
  await using secure = await WebhookSink.start(certificate)
  const known = getCACertificates('default')
  setDefaultCACertificates([...known, certificate.ca])
  try {
    const asked: string[] = []
    const lookup = async (name: string) => {
      asked.push(name)
      return ['127.0.0.1']
    }
    const to = (name: string) => hooked({ webhook: `https://${name}:${secure.port}/hook` })
    const outcomes = await deliver(webhook({ lookup }), to('hooks.example'), to('others.example'))
    expect(outcomes).toMatchObject([
      { type: 'sent' },
      { type: 'retry', error: 'Cannot call the webhook: ERR_TLS_CERT_ALTNAME_INVALID' },
    ])
    expect(asked).toEqual(['hooks.example', 'others.example'])
    expect(secure.hooks.map((it) => it.headers.host)).toEqual([`hooks.example:${secure.port}`])
  } finally {
    setDefaultCACertificates(known)
  }
})

test('if one address is unreachable, the next is tried', async () => {
  const lookup = async () => ['224.0.0.1', '127.0.0.1']
  const to = hooked({ webhook: `http://hooks.example:${hooks.port}/hook` })
  expect(await deliver(webhook({ lookup, limitMs: 2_000 }), to)).toMatchObject([{ type: 'sent' }])
})

test('a dead host of one customer delays no other', async () => {
  const channel = webhook({ breaker: { failuresMax: 1, restMs: 60_000 } })
  const dead = notice({ webhook: 'http://127.0.0.1:1/' })
  expect(await channel.deliver(dead)).toEqual({
    type: 'retry',
    error: 'Cannot call the webhook: ECONNREFUSED',
  })
  expect(await channel.deliver(dead)).toMatchObject({ type: 'deferred' })
  expect(await deliver(channel, hooked())).toMatchObject([{ type: 'sent' }])
})

test('a slow host of one customer leaves the others most of the channel', async () => {
  await using slow = await WebhookSink.start()
  const held: (() => void)[] = []
  slow.answer = (_, response) => held.push(() => response.writeHead(204).end())
  const channel = webhook({ concurrent: 16 })
  const outcomes = Array.from({ length: channel.capacity }, () =>
    channel.deliver(notice({ webhook: slow.url })),
  )
  const deferred = await Promise.all(outcomes.slice(2))
  expect(new Set(deferred.map((it) => it.type))).toEqual(new Set(['deferred']))
  expect(await channel.deliver(hooked())).toMatchObject({ type: 'sent' })
  await expect.poll(() => held.length).toBe(2)
  for (const answer of held) answer()
  expect(await Promise.all(outcomes.slice(0, 2))).toMatchObject([{ type: 'sent' }, { type: 'sent' }])
  channel.close!()
})

test('a notice whose webhook is gone fails', async () => {
  expect(await deliver(webhook(), notice())).toEqual([
    { type: 'failed', error: 'Cannot call the webhook: its address is no longer known' },
  ])
})

test("in chats that show the text, a user's text makes no mention and no link", async () => {
  const others = '<!channel> @everyone @all <@U1> [link](https://evil.example) ![i](https://evil.example)'
  await deliver(chatChannel({ url: hooks.url }), notice({ ...alarming(others), locale: 'en' }))
  await deliver(chatChannel({ url: hooks.url }), notice({ bookid: others, userid: others, locale: 'en' }))
  const texts = hooks.hooks.map(({ body }) => body.text as string)
  expect(texts).toHaveLength(2)
  for (const text of texts) expect(text).not.toMatch(/<[!@]|@(?:everyone|all)|\]\(/)
  expect(texts[0]!.replaceAll('\u200b', '')).toContain(others)
})
