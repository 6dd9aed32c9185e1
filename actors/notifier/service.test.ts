/** A real process that tells a real mail server and webhooks: killed at the worst moment, and with much to do. */
import { randomUUID } from 'node:crypto'
import { createTransport } from 'nodemailer'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { eventually, inParallel, range } from '../testing/eventually.ts'
import { MailSink } from '../testing/mail-sink.ts'
import { ServiceProcess } from '../testing/service-process.ts'
import { WebhookSink } from '../testing/webhook-sink.ts'
import { readAttempts } from './attempts.ts'
import { writeCustomer } from './customers.ts'
import { alertFiring, alertsOf, contact, NotifierDatabase, reserved, route } from './testing.ts'

const routing = route(['email', 'webhook'])
const alertToken = 'a-token-of-the-tests'

let database: NotifierDatabase
let mails: MailSink
let hooks: WebhookSink
let notifier: ServiceProcess
beforeAll(async () => {
  database = await NotifierDatabase.create()
  mails = await MailSink.start()
  hooks = await WebhookSink.start()
  await writeCustomer(database.sql, 'mailed', contact({ email: 'mailed@example.com' }))
  await writeCustomer(database.sql, 'hooked', contact({ webhook: hooks.url }))
  // It takes no events in: all partitions are somebody else's.
  notifier = new ServiceProcess('notifier', {
    service: 'notifier',
    runtime: 'node',
    runtimeArgs: ['--import', new URL('../faults/crash/after-mail.ts', import.meta.url).pathname],
    env: {
      DATABASE_URL: database.url,
      REDIS_URL: inject('redisUrl'),
      REDIS_PREFIX: `drain-${randomUUID().slice(0, 8)}`,
      PARTITIONS: '4',
      SMTP_URL: mails.url,
      WEBHOOK_ALLOW_PRIVATE: 'true',
      CHANNEL_CONCURRENCY: 'email=20',
      ALERT_TOKEN: alertToken,
      OPERATOR_EMAIL: 'op@example.com',
      DRAIN_MS: '0',
    },
  })
  await notifier.start()
})
afterAll(async () => {
  const faults = await notifier.finish()
  await database[Symbol.asyncDispose]()
  await mails[Symbol.asyncDispose]()
  await hooks[Symbol.asyncDispose]()
  expect(faults).toEqual([])
})

const untold = async () =>
  (await database.sql<{ count: number }[]>`select count(*) from undelivered`)[0]!.count

/** Posts an alert as Alertmanager does. @returns how much of it was news. */
async function alert(fingerprint: string): Promise<number> {
  const {
    externalURL,
    groupKey,
    truncated: truncatedAlerts,
    alerts,
  } = alertsOf([alertFiring({ fingerprint })])
  const body = { version: '4', status: 'firing', externalURL, groupKey, truncatedAlerts, alerts }
  const answer = await fetch(`${notifier.url}/alerts`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', authorization: `Bearer ${alertToken}` },
  })
  expect(answer.status).toBe(200)
  return ((await answer.json()) as { news: number }).news
}

const alertMails = () => mails.mails.filter(({ to }) => to.includes('op@example.com'))

test('an alert is mailed to the operator', async () => {
  expect(await alert('aaaa')).toBe(1)
  expect(await alert('aaaa')).toBe(0)
  await eventually(async () => (await untold()) === 0, { timeoutMs: 15_000 })
  expect(alertMails()).toHaveLength(1)
  expect(notifier.logs.filter(({ msg }) => msg === '##### 경보 #####')).toHaveLength(1)
})

test('killed between the 250 of the mail server and its own mark, it sends the same Message-ID once more, and no third', async () => {
  await database.commit([reserved({ reservationid: randomUUID(), userid: 'mailed' })], { routing })
  await notifier.crash('SIGUSR2')
  const sent = () => mails.mails.filter(({ to }) => to.includes('mailed@example.com'))
  expect(sent()).toHaveLength(1)
  const told = async () => (await database.told()).filter((it) => it.kind === 'reserved')
  expect(await told()).toMatchObject([{ channel: 'email', status: 'pending' }])
  // Nobody can say how it ended before the claim has run out.
  await database.sql`update undelivered set due_at = clock_timestamp()`
  await notifier.start()
  await eventually(async () => (await untold()) === 0, { timeoutMs: 15_000 })
  expect(sent()).toHaveLength(2)
  expect(new Set(sent().map((it) => it.messageId)).size).toBe(1)
  expect(await told()).toMatchObject([{ channel: 'email', status: 'sent', attempts: 2 }])
  const [row] = await database.sql<{ seq: number }[]>`
    select seq from notice where channel = 'email' and kind = 'reserved'`
  expect(await readAttempts(database.sql, row!.seq)).toMatchObject([{ outcome: 'sent' }])
})

test('an alert that was told before the notifier was killed is not told again after', async () => {
  expect(await alert('aaaa')).toBe(0)
  expect(await alert('bbbb')).toBe(1)
  await eventually(async () => (await untold()) === 0)
  expect(alertMails()).toHaveLength(2)
})

const backlog = { mailed: 3_000, hooked: 7_000 }
const wanted = 1_000

test('ten thousand notices are told at a thousand a second, each once', { timeout: 60_000 }, async () => {
  mails.mails.length = 0
  const told = () => mails.mails.length + hooks.hooks.length
  const all = backlog.mailed + backlog.hooked
  const starting = eventually(() => told() > 0, { timeoutMs: 20_000 }).then(() => performance.now())
  for (let made = 0; made < all; made += 1_000) {
    const events = range(1_000).map((i) =>
      reserved({ reservationid: randomUUID(), userid: i % 10 < 3 ? 'mailed' : 'hooked' }),
    )
    await database.commit(events, { routing })
  }
  const startedAt = await starting
  await eventually(() => told() >= all, { timeoutMs: 40_000, message: 'The backlog is not told' })
  const rate = all / ((performance.now() - startedAt) / 1_000)
  await eventually(async () => (await untold()) === 0)
  expect(new Set(mails.mails.map((it) => it.messageId)).size).toBe(backlog.mailed)
  expect(new Set(hooks.hooks.map((it) => it.headers['idempotency-key'])).size).toBe(backlog.hooked)
  expect(told()).toBe(all)
  console.log(`${all} notices at ${rate.toFixed(0)} a second`)
  // A machine that is busy with other things is asked for half of what bare clients come to on it.
  if (rate < wanted) expect(rate).toBeGreaterThan((await bareRate()) / 2)
})

/** Notices a second, in the same shares, without a queue: as fast as clients and sinks can. */
async function bareRate(): Promise<number> {
  const transport = createTransport({ url: mails.url, pool: true, maxConnections: 10 })
  const mail = {
    from: 'a@example.com',
    to: 'b@example.com',
    subject: 'bare',
    text: 'bare',
    html: '<p>bare</p>',
  }
  const startedAt = performance.now()
  await Promise.all([
    inParallel(range(300), 10, () => transport.sendMail(mail)),
    inParallel(range(700), 64, async () => {
      const answer = await fetch(hooks.url, { method: 'POST', body: JSON.stringify(mail) })
      await answer.arrayBuffer()
    }),
  ])
  transport.close()
  return 1_000 / ((performance.now() - startedAt) / 1_000)
}
