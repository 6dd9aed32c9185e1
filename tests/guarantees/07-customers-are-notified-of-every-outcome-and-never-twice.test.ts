/**
 * Promise 7: the customer is notified of every outcome; a retry or a crash never repeats a notice, except where the
 * receiving server left its outcome unknown.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually, inParallel, range } from '../doubles/eventually.ts'
import { MailSink } from '../doubles/mail-sink.ts'
import { WebhookSink } from '../doubles/webhook-sink.ts'
import {
  cancel,
  everyNotice,
  type Notice,
  type Reservation,
  receive,
  reserve,
  reserveAndWait,
} from '../harness/acts.ts'
import { checkConsumers } from '../harness/audit.ts'
import { canceledNotice, reservedNotice } from '../harness/original-calls.ts'
import { Producer } from '../harness/producer.ts'
import { leaseTtlMs, type System, type SystemOptions, startOwnSystem, useSystem } from '../harness/system.ts'

let mail: MailSink
let chat: WebhookSink
beforeAll(async () => {
  mail = await MailSink.start()
  chat = await WebhookSink.start()
})
const envOf: SystemOptions['envOf'] = (service) =>
  service === 'notifier' ? { SMTP_URL: mail.url, CHAT_WEBHOOK_URL: chat.url } : {}
const system = useSystem({ envOf })
afterAll(async () => {
  await mail[Symbol.asyncDispose]()
  await chat[Symbol.asyncDispose]()
})

// The longest come first, because few run at a time.
test.concurrent('when the notifier is killed repeatedly, every outcome is notified, and repeated only under the same id', {
  timeout: 60_000,
}, async (context) => {
  await using own = await startOwnSystem(context, { envOf })
  await receive(own, 'many', 100)
  const notifier = own.processes.notifier[0]!
  const users = range(10).map((index) => `kay-${index}`)
  for (const userid of users) await setContact(own, userid, { email: `${userid}@example.com` })
  const made = await inParallel(range(150), 20, async (index) => {
    if (index === 40 || index === 80 || index === 120) await notifier.restart()
    return reserve(own.reservation, 'many', users[index % users.length]!)
  })
  // Console, e-mail and chat for each outcome.
  const wanted = Object.fromEntries(['console', 'email', 'chat'].map((channel) => [`${channel} Sent`, 150]))
  await eventually(
    async () => {
      const found = Object.groupBy(
        await noticesOf(own, made),
        ({ channel, status }) => `${channel} ${status}`,
      )
      const counts = Object.entries(found).map(([name, notices]) => [name, notices!.length])
      expect(Object.fromEntries(counts)).toEqual(wanted)
      return true
    },
    { timeoutMs: 30_000, message: 'Some outcomes have no notice' },
  )
  const ids = (values: (string | string[] | undefined)[]) => [...new Set(values)].length
  const mails = mail.mails.filter(({ to }) => to.some((it) => it.startsWith('kay-')))
  expect(ids(mails.map(({ messageId }) => messageId))).toBe(150)
  const hooks = chat.hooks.filter(({ body }) => aboutOneOf(made, body))
  expect(ids(hooks.map(({ headers }) => headers['idempotency-key']))).toBe(150)
  // Each of two kills may leave one batch in doubt; deliveries answered before are not repeated.
  expect(hooks.length).toBeLessThan(300)
})

test.concurrent('when a lock blocks the notifier for longer than a lease, another one repeats nothing', {
  timeout: 60_000,
}, async (context) => {
  await using own = await startOwnSystem(context, { notifier: 2, partitions: 2, envOf })
  await receive(own, 'held-up', 1)
  const linesOf = (reservationid: string) =>
    own.processes.notifier.flatMap(({ logs }) =>
      logs.filter((log) => log.msg === reservedNotice && log.reservationid === reservationid),
    ).length
  const { reservationid } = await own.sql.begin(async (held) => {
    await held`lock table notifier.undelivered in access exclusive mode`
    const reservation = await reserveAndWait(own.reservation, 'held-up', 'eva')
    await eventually(() => linesOf(reservation.reservationid) > 0, { message: 'No notice appeared' })
    await held`select pg_sleep(${(2.5 * leaseTtlMs) / 1_000})`
    expect(await held`select partition from notifier.mailbox where lease_until < clock_timestamp()`).toEqual(
      [],
    )
    return reservation
  })
  await eventually(async () => (await everyNotice(own, '&userid=eva&status=Sent')).length === 2, {
    message: 'The sent notice is not recorded',
  })
  expect(linesOf(reservationid)).toBe(1)
})

test.concurrent('an outcome goes to the console, the chat and the channel that its customer prefers', async () => {
  await using own = await WebhookSink.start()
  const contact = { email: 'ann@example.com', webhook: own.url, locale: 'en' }
  await receive(system(), 'one', 2)
  const notifyBy = async (userid: string, channels: string[]) => {
    await setContact(system(), userid, { ...contact, channels })
    const { reservationid } = await reserveAndWait(system().reservation, 'one', userid)
    await sentTo(userid, 3)
    await cancel(system().reservation, reservationid)
    await sentTo(userid, 6)
    expect(consoleLines(reservedNotice, reservationid)).toBe(1)
    expect(consoleLines(canceledNotice, reservationid)).toBe(1)
    return reservationid
  }
  const byMail = await notifyBy('ann', ['email', 'webhook'])
  const byHook = await notifyBy('abe', ['webhook', 'email'])

  const mails = mail.mails.filter(({ to }) => to.includes('ann@example.com'))
  expect(mails.length).toBe(2)
  expect(new Set(mails.map(({ messageId }) => messageId)).size).toBe(2)
  const about = (sink: WebhookSink, reservationid: string) =>
    sink.hooks.filter(({ body }) => JSON.stringify(body).includes(reservationid))
  expect(about(own, byMail)).toEqual([])
  for (const mine of [about(own, byHook), about(chat, byHook), about(chat, byMail)]) {
    expect(mine.length).toBe(2)
    expect(new Set(mine.map(({ headers }) => headers['idempotency-key'])).size).toBe(2)
  }
})

test.concurrent('when the preferred channel refuses permanently, the next one delivers', async () => {
  await using own = await WebhookSink.start()
  own.answer = (_, response) => response.writeHead(410).end()
  await setContact(system(), 'gus', {
    email: 'gus@example.com',
    webhook: own.url,
    channels: ['webhook', 'email'],
  })
  await receive(system(), 'fallback', 1)
  await reserveAndWait(system().reservation, 'fallback', 'gus')
  await sentTo('gus', 3)
  expect(own.hooks).toHaveLength(1)
  const mails = mail.mails.filter(({ to }) => to.includes('gus@example.com'))
  expect(mails.map(({ messageId }) => messageId.split('@')[0])).toEqual([
    `<${own.hooks[0]!.headers['idempotency-key']}`,
  ])
})

test.concurrent('a receiver that fails at first gets the notice once it recovers', async () => {
  await using own = await WebhookSink.start()
  let left = 2
  own.answer = (_, response) => response.writeHead(left-- > 0 ? 503 : 204).end()
  await setContact(system(), 'ben', { webhook: own.url })
  await receive(system(), 'two', 1)
  await reserveAndWait(system().reservation, 'two', 'ben')
  await eventually(() => own.hooks.length === 3, {
    timeoutMs: 20_000,
    message: 'The receiver got no second attempt',
  })
  await sentTo('ben', 3)
  expect(own.hooks.length).toBe(3)
  expect(new Set(own.hooks.map(({ headers }) => headers['idempotency-key'])).size).toBe(1)
})

test.concurrent('when stock repeats its answers, no notice is repeated', async () => {
  await receive(system(), 'again', 1)
  const { reservationid, bookid, userid } = await reserveAndWait(system().reservation, 'again', 'cem')
  await sentTo('cem', 2)
  await using producer = new Producer(system())
  await producer.send(
    ...range(3).map(() => ({ type: 'ReserveCopy' as const, reservationid, bookid, userid })),
  )
  // The notice of a later outcome of the same book comes after anything that the repeats cause.
  await reserveAndWait(system().reservation, 'again', 'dan')
  await sentTo('dan', 2)
  expect(consoleLines(reservedNotice, reservationid)).toBe(1)
  expect((await everyNotice(system(), '&userid=cem')).length).toBe(2)
})

test.concurrent('the purchaser is notified of every purchase request, even after orders in between', async () => {
  const requests = () =>
    chat.hooks.filter(({ body }) => body.kind === 'purchase-requested' && body.bookid === 'wanted').length
  await receive(system(), 'wanted', 0)
  for (const round of [1, 2]) {
    // Refused twice: one request, until copies are ordered.
    await reserveAndWait(system().reservation, 'wanted', `reader-${round}`)
    await reserveAndWait(system().reservation, 'wanted', `reader-${round}`)
    await eventually(() => requests() === round, {
      message: `The purchaser got no notice of request ${round}`,
    })
    const { status } = await system().stock.post('/purchases', { bookid: 'wanted', qty: 1 })
    expect(status).toBe(201)
  }
})

test('events that concern no customer delay no others', async () => {
  await receive(system(), 'unspoken', 1)
  await checkConsumers(system())
})

async function setContact(
  { notifier }: System,
  userid: string,
  contact: Record<string, unknown>,
): Promise<void> {
  const { status } = await notifier.put(`/customers/${userid}`, contact)
  expect([200, 201]).toContain(status)
}

/** Waits until the user has this many notices. */
const sentTo = (userid: string, wanted: number): Promise<Notice[]> =>
  eventually(
    async () => {
      const notices = await everyNotice(system(), `&userid=${userid}&status=Sent`)
      return notices.length === wanted && notices
    },
    { timeoutMs: 20_000, message: `${userid} did not get ${wanted} notices` },
  )

const consoleLines = (line: string, reservationid: string): number =>
  system().processes.notifier[0]!.logs.filter(
    (log) => log.msg === line && log.reservationid === reservationid,
  ).length

async function noticesOf(system: System, made: Reservation[]): Promise<Notice[]> {
  const ids = new Set(made.map(({ reservationid }) => reservationid))
  return (await everyNotice(system)).filter((notice) => ids.has(notice.reservationid ?? ''))
}

const aboutOneOf = (made: Reservation[], body: Record<string, unknown>): boolean => {
  const text = JSON.stringify(body)
  return made.some(({ reservationid }) => text.includes(reservationid))
}
