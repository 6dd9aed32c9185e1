/** A real process that sends to a real mail server, killed at the worst moment. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { eventually } from '../../tests/doubles/eventually.ts'
import { MailSink } from '../../tests/doubles/mail-sink.ts'
import { ServiceProcess } from '../../tests/harness/service-process.ts'
import { writeCustomer } from './customers/customers.ts'
import { readAttempts } from './delivery/attempts.ts'
import { alertFiring, alertsOf } from './operators/testing.ts'
import { reserved, route } from './plan/testing.ts'
import { contact, NotifierDatabase } from './testing.ts'

const routing = route(['email'])
const alertToken = 'a-token-of-the-tests'

let database: NotifierDatabase
let mails: MailSink
let notifier: ServiceProcess
beforeAll(async () => {
  database = await NotifierDatabase.create()
  mails = await MailSink.start()
  await writeCustomer(database.sql, 'mailed', contact({ email: 'mailed@example.com' }))
  // It reads no events: another worker owns all partitions.
  notifier = new ServiceProcess('notifier', {
    service: 'notifier',
    runtime: 'node',
    runtimeArgs: ['--import', new URL('../../tests/faults/crash/after-mail.ts', import.meta.url).pathname],
    env: {
      DATABASE_URL: database.url,
      REDIS_URL: inject('redisUrl'),
      REDIS_PREFIX: `notices-${randomUUID().slice(0, 8)}`,
      PARTITIONS: '4',
      SMTP_URL: mails.url,
      ALERT_TOKEN: alertToken,
      OPERATOR_EMAIL: 'op@example.com',
    },
  })
  await notifier.start()
})
afterAll(async () => {
  const faults = await notifier.finish()
  await database[Symbol.asyncDispose]()
  await mails[Symbol.asyncDispose]()
  expect(faults).toEqual([])
})

const undelivered = async () =>
  (await database.sql<{ count: number }[]>`select count(*) from undelivered`)[0]!.count

/** Posts an alert as Alertmanager does. @returns how many alerts were news. */
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
  await eventually(async () => (await undelivered()) === 0, { timeoutMs: 15_000 })
  expect(alertMails()).toHaveLength(1)
  expect(notifier.logs.filter(({ msg }) => msg === '##### 경보 #####')).toHaveLength(1)
})

test('killed between the 250 of the mail server and its own record, it sends the same Message-ID once more, and no third', async () => {
  await database.commit([reserved({ reservationid: randomUUID(), userid: 'mailed' })], { routing })
  await notifier.crash('SIGUSR2')
  const sent = () => mails.mails.filter(({ to }) => to.includes('mailed@example.com'))
  expect(sent()).toHaveLength(1)
  const outcomes = async () => (await database.notices()).filter((it) => it.kind === 'reserved')
  expect(await outcomes()).toMatchObject([{ channel: 'email', status: 'pending' }])
  // Until the claim expires, the outcome is unknown.
  await database.sql`update undelivered set due_at = clock_timestamp()`
  await notifier.start()
  await eventually(async () => (await undelivered()) === 0, { timeoutMs: 15_000 })
  expect(sent()).toHaveLength(2)
  expect(new Set(sent().map((it) => it.messageId)).size).toBe(1)
  expect(await outcomes()).toMatchObject([{ channel: 'email', status: 'sent', attempts: 2 }])
  const [row] = await database.sql<{ seq: number }[]>`
    select seq from notice where channel = 'email' and kind = 'reserved'`
  expect(await readAttempts(database.sql, row!.seq)).toMatchObject([{ outcome: 'sent' }])
})

test('an alert that was sent before the notifier was killed is not sent again', async () => {
  expect(await alert('aaaa')).toBe(0)
  expect(await alert('bbbb')).toBe(1)
  await eventually(async () => (await undelivered()) === 0)
  expect(alertMails()).toHaveLength(2)
})
