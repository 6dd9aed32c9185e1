import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { closePostgres, openPostgres } from '../../../streams/postgres.ts'
import { eventually } from '../../../tests/doubles/eventually.ts'
import { MailSink } from '../../../tests/doubles/mail-sink.ts'
import { TcpProxy } from '../../../tests/doubles/tcp-proxy.ts'
import { WebhookSink } from '../../../tests/doubles/webhook-sink.ts'
import type { StockEvent } from '../../messages.ts'
import type { ChannelName } from '../channels/all.ts'
import { chatChannel } from '../channels/chat.ts'
import { emailChannel } from '../channels/email.ts'
import { webhookChannel } from '../channels/webhook.ts'
import { writeCustomer } from '../customers/customers.ts'
import { retryNotice } from '../operators/notices.ts'
import { chat, monday, queue, refused, released, reserved, route } from '../plan/testing.ts'
import { contact, mark, NotifierDatabase, Tally } from '../testing.ts'
import type { Channel, DueNotice, Outcome } from './delivery.ts'
import { Dispatcher, type DispatcherOptions } from './dispatch.ts'
import { claimDue, markAll } from './queue.ts'

let database: NotifierDatabase
beforeAll(async () => {
  database = await NotifierDatabase.create()
})
beforeEach(async () => {
  await database.sql`truncate notice, undelivered, attempt, alert, customer`
  await writeCustomer(database.sql, 'test1', contact({ email: 'test1@example.com' }))
})
afterAll(() => database[Symbol.asyncDispose]())

const quiet = { info() {}, warn() {} }
const from = 'Books <books@library.example>'
const onlyMail = route(['email'])

/** A dispatcher that runs until it is disposed. */
function start(channel: Channel<ChannelName>, options: Partial<DispatcherOptions> = {}) {
  const tally = new Tally()
  const stop = new AbortController()
  const dispatcher = new Dispatcher({
    channel,
    sql: database.sql,
    routing: chat,
    gatherMs: 0,
    log: quiet,
    lines: { add: (_, write) => write() },
    count: tally.count,
    afterOutageMs: 0,
    ...options,
  })
  const done = dispatcher.run(stop.signal)
  const end = async () => {
    stop.abort()
    await done
  }
  return { dispatcher, tally, end, [Symbol.asyncDispose]: end }
}

/** A channel with a scripted delivery. */
const fake = (
  deliver: (notice: DueNotice) => Outcome | Promise<Outcome>,
  some: Partial<Channel<ChannelName>> = {},
): Channel<ChannelName> => ({
  name: 'chat',
  capacity: 100,
  deliver: async (notice) => deliver(notice),
  ...some,
})

const statusOf = async (channel: string) =>
  (await database.notices()).filter((it) => it.channel === channel).map((it) => it.status)

test('every notice that is due is sent once, many at a time', async () => {
  const sent: string[] = []
  const channel = fake((notice) => {
    sent.push(notice.noticeid)
    return { type: 'sent' }
  })
  await database.commit(Array.from({ length: 450 }, () => refused({ reservationid: randomUUID() })))
  await using running = start(channel)
  await running.tally.until('sent', 450)
  expect(new Set(sent).size).toBe(450)
  expect(sent).toHaveLength(450)
  expect(new Set(await statusOf('chat'))).toEqual(new Set(['sent']))
})

test('a wake-up sends a new notice without waiting for the next poll', async () => {
  await using running = start(
    fake(() => ({ type: 'sent' })),
    { pollMs: 600_000 },
  )
  await database.commit([reserved({ reservationid: randomUUID() })])
  running.dispatcher.wake()
  await running.tally.until('sent', 1)
})

test('a notice is retried until its receiver takes it, always under the same id', async () => {
  await using hooks = await WebhookSink.start()
  hooks.answer = (_, response) => response.writeHead(hooks.hooks.length < 3 ? 503 : 204).end()
  await database.commit([reserved({ reservationid: randomUUID() })], { routing: chat })
  // Minimal randomness and frequent polls keep the delays short.
  await using running = start(chatChannel({ url: hooks.url }), { random: () => -0.98, pollMs: 5 })
  await running.tally.until('sent', 1)
  expect(hooks.hooks).toHaveLength(3)
  expect(new Set(hooks.hooks.map((it) => it.headers['idempotency-key'])).size).toBe(1)
  expect((await database.notices()).find((it) => it.channel === 'chat')).toMatchObject({
    status: 'sent',
    attempts: 3,
    last_error: null,
  })
})

test('a permanent refusal is not retried, and its reason is recorded', async () => {
  await using hooks = await WebhookSink.start()
  hooks.answer = (_, response) => response.writeHead(410).end()
  await database.commit([reserved({ reservationid: randomUUID() })], { routing: chat })
  await using running = start(chatChannel({ url: hooks.url }))
  await running.tally.until('failed', 1)
  expect((await database.notices()).find((it) => it.channel === 'chat')).toMatchObject({
    status: 'failed',
    last_error: expect.stringContaining('410'),
  })
})

test('a notice is given up after a day', async () => {
  await database.commit([reserved({ reservationid: randomUUID() })])
  await database.sql`update notice set created_at = created_at - interval '25 hours'`
  await using running = start(fake(() => ({ type: 'retry', error: 'busy' })))
  await running.tally.until('failed', 1)
  expect(await database.notices()).toMatchObject([{ status: 'failed', last_error: 'busy; gave up' }])
})

test('M2: killed between the answer and its record, a dispatcher sends the same Message-ID again', async () => {
  await using mails = await MailSink.start()
  await database.commit([reserved({ reservationid: randomUUID() })], { routing: onlyMail })
  const channel = emailChannel({ smtpUrl: mails.url, from })
  // As if the process were killed once the server has answered 250: nothing is recorded, and the claim expires.
  const [claimed] = await claimDue(database.sql, 'email', 1, 0)
  expect(await channel.deliver({ ...claimed!, timeZone: 'Asia/Seoul' })).toMatchObject({ type: 'sent' })
  await using running = start(channel)
  await running.tally.until('sent', 1)
  expect(mails.mails).toHaveLength(2)
  expect(mails.mails[0]!.messageId).toBe(mails.mails[1]!.messageId)
})

test('M1: a dead mail server delays no webhook', async () => {
  const silent = createServer(() => {})
  await once(silent.listen(0, '127.0.0.1'), 'listening')
  await using hooks = await WebhookSink.start()
  await writeCustomer(database.sql, 'hooked', contact({ webhook: hooks.url }))
  await database.commit(
    Array.from({ length: 40 }, (_, i) =>
      reserved({ reservationid: randomUUID(), userid: i % 2 ? 'hooked' : 'test1' }),
    ),
    { routing: route(['email', 'webhook']) },
  )
  const smtpUrl = `smtp://127.0.0.1:${(silent.address() as AddressInfo).port}`
  const mail = start(emailChannel({ smtpUrl, from }), { graceMs: 0 })
  const webhook = start(webhookChannel({ allowPrivate: true }))
  await webhook.tally.until('sent', 20)
  expect(hooks.hooks).toHaveLength(20)
  expect(new Set(await statusOf('email'))).toEqual(new Set(['pending']))
  await webhook.end()
  await mail.end()
  silent.close()
})

test('a slow delivery delays no other of its channel', async () => {
  const slow = Promise.withResolvers<Outcome>()
  let first = true
  const channel = fake(
    () => {
      if (!first) return Promise.resolve({ type: 'sent' })
      first = false
      return slow.promise
    },
    { capacity: 2 },
  )
  await database.commit(Array.from({ length: 10 }, () => reserved({ reservationid: randomUUID() })))
  await using running = start(channel)
  await running.tally.until('sent', 9)
  slow.resolve({ type: 'sent' })
  await running.tally.until('sent', 10)
})

test('no more is claimed than there is room for, and nothing while the receiver rests', async () => {
  let rest = 60_000
  let most = 0
  let now = 0
  const channel = fake(
    async () => {
      most = Math.max(most, ++now)
      await sleep(1)
      now--
      return { type: 'sent' }
    },
    { capacity: 3, restMs: () => rest },
  )
  await database.commit(Array.from({ length: 20 }, () => reserved({ reservationid: randomUUID() })))
  await using running = start(channel, { pollMs: 5 })
  await database.sql`select pg_sleep(0.05)`
  expect(most).toBe(0)
  rest = 0
  await running.tally.until('sent', 20)
  expect(most).toBe(3)
})

test('M2: after an outage of Postgres, results are recorded and nothing is sent twice', async () => {
  const sent: number[] = []
  const asked = Promise.withResolvers<void>()
  const answer = Promise.withResolvers<Outcome>()
  await database.commit([reserved({ reservationid: randomUUID() })])
  await using running = start(
    fake((notice) => {
      sent.push(notice.seq)
      asked.resolve()
      return answer.promise
    }),
    { pollMs: 10 },
  )
  await asked.promise
  await database.sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()`.catch(
    () => {},
  )
  answer.resolve({ type: 'sent' })
  await running.tally.until('sent', 1)
  expect(sent).toHaveLength(1)
})

test.each([
  ['that was there before', 1_500],
  ['that has just started', 0],
])(
  'M3: a notice sent during an outage of Postgres is not sent by another %s, though its claim ran out',
  async (_, headStartMs) => {
    const sent: number[] = []
    const asked = Promise.withResolvers<void>()
    const answer = Promise.withResolvers<Outcome>()
    const channel = () =>
      fake((notice) => {
        sent.push(notice.seq)
        asked.resolve()
        return answer.promise
      })
    const times = { leaseMs: 600, renewMs: 200, pollMs: 50, random: () => 0 }
    await using ways = new AsyncDisposableStack()
    const way = async () => {
      const proxy = ways.use(await TcpProxy.start(database.url))
      const sql = openPostgres(proxy.url, { schema: 'notifier', max: 2, hot: true })
      ways.defer(() => closePostgres(sql))
      return { proxy, sql }
    }
    const [mine, others] = [await way(), await way()]
    await using _second = start(channel(), { ...times, sql: others.sql, afterOutageMs: 1_500 })
    await sleep(headStartMs)
    // Only the first gets the notice: the other is cut off before it exists.
    others.proxy.refuse()
    await database.commit([reserved({ reservationid: randomUUID() })])
    await using first = start(channel(), { ...times, sql: mine.sql })
    await asked.promise
    for (const { proxy } of [mine, others]) proxy.refuse()
    answer.resolve({ type: 'sent' })
    // Longer than the claim, and longer than a poll of the other dispatcher, which reconnects first.
    await sleep(1_000)
    others.proxy.restore()
    await sleep(500)
    mine.proxy.restore()
    await first.tally.until('sent', 1)
    expect(sent).toHaveLength(1)
  },
)

test('M3: a dispatcher that has just started pauses once, then sends', async () => {
  await database.commit([reserved({ reservationid: randomUUID() })])
  // The pause is longer than the silence that counts as an outage.
  const times = { leaseMs: 300, pollMs: 20, afterOutageMs: 500 }
  await using running = start(
    fake(() => ({ type: 'sent' })),
    times,
  )
  await running.tally.until('sent', 1)
})

test('M4: when a dispatcher stops, running deliveries are finished and recorded', async () => {
  const asked = Promise.withResolvers<void>()
  const answer = Promise.withResolvers<Outcome>()
  await database.commit([reserved({ reservationid: randomUUID() })])
  const running = start(
    fake(() => {
      asked.resolve()
      return answer.promise
    }),
  )
  await asked.promise
  const ended = running.end()
  answer.resolve({ type: 'sent' })
  await ended
  expect(await database.summary()).toEqual(['reserved chat sent'])
})

test('two dispatchers of a channel share the work and send nothing twice', async () => {
  const sent: string[] = []
  const channel = () =>
    fake(
      async (notice) => {
        sent.push(notice.noticeid)
        await sleep(1)
        return { type: 'sent' }
      },
      { capacity: 10 },
    )
  await database.commit(Array.from({ length: 100 }, () => reserved({ reservationid: randomUUID() })))
  const other = new Tally()
  await using one = start(channel(), { count: other.count })
  await using two = start(channel(), { count: other.count })
  await other.until('sent', 100)
  expect(new Set(sent).size).toBe(100)
  expect(sent).toHaveLength(100)
  await one.end()
  await two.end()
})

test('M3: a delivery that takes longer than the lease stays with its dispatcher', async () => {
  const slow = Promise.withResolvers<Outcome>()
  let sent = 0
  const channel = () =>
    fake(() => {
      sent++
      return slow.promise
    })
  const timing = { leaseMs: 500, renewMs: 50, pollMs: 20 }
  await database.commit([reserved({ reservationid: randomUUID() })])
  await using one = start(channel(), timing)
  await using two = start(channel(), timing)
  await database.sql`select pg_sleep(1.2)`
  slow.resolve({ type: 'sent' })
  await Promise.race([one.tally.until('sent', 1), two.tally.until('sent', 1)])
  expect(sent).toBe(1)
})

test('a claim that runs out during its delivery does not start a second one', async () => {
  const slow = Promise.withResolvers<Outcome>()
  const asked = Promise.withResolvers<void>()
  let sent = 0
  const channel = fake(() => {
    sent++
    asked.resolve()
    return slow.promise
  })
  await database.commit([reserved({ reservationid: randomUUID() })])
  await using running = start(channel, { pollMs: 5, leaseMs: 20, renewMs: 60_000 })
  await asked.promise
  await database.sql`select pg_sleep(0.2)`
  slow.resolve({ type: 'sent' })
  await running.tally.until('sent', 1)
  expect(sent).toBe(1)
  expect((await database.notices())[0]!.attempts).toBeGreaterThan(1)
})

test('a cancellation right after a success is all that is sent', async () => {
  const sent: string[] = []
  const reservationid = randomUUID()
  await database.commit([reserved({ reservationid })], { delayMs: 60_000 })
  await database.commit([released({ reservationid })])
  await using running = start(
    fake((notice) => {
      sent.push(notice.kind)
      return { type: 'sent' }
    }),
  )
  await running.tally.until('sent', 1)
  expect(sent).toEqual(['cancelled'])
})

/** Channels with fixed answers, which record the order in which they were asked. */
const channels = (answers: Record<string, Outcome>, asked: string[]): Channel<ChannelName>[] =>
  Object.entries(answers).map(([name, outcome]) =>
    fake(
      (notice) => {
        asked.push(`${name} ${notice[name === 'sms' ? 'phone' : 'email']}`)
        return outcome
      },
      { name: name as ChannelName },
    ),
  )

test('when a channel refuses for good, only the next one is tried, until one takes the notice', async () => {
  const routing = route(['email', 'kakao', 'sms'])
  const asked: string[] = []
  await writeCustomer(
    database.sql,
    'test1',
    contact({ email: 'a@example.com', phone: '+821012345678', channels: ['email', 'kakao', 'sms'] }),
  )
  const [email, kakao, sms] = channels(
    {
      email: { type: 'failed', error: 'no such mailbox' },
      kakao: { type: 'failed', error: 'no such friend' },
      sms: { type: 'sent', answer: 'OK' },
    },
    asked,
  )
  await database.commit([reserved({ reservationid: randomUUID() })], { routing })
  // Only a wake-up ends a poll early.
  await using last = start(sms!, { routing, pollMs: 600_000 })
  await using _later = start(kakao!, { routing, onFallback: () => last.dispatcher.wake() })
  await using _first = start(email!, { routing })
  await last.tally.until('sent', 1)
  expect(asked.map((it) => it.split(' ')[0])).toEqual(['email', 'kakao', 'sms'])
  expect(await database.summary()).toEqual(['reserved sms sent'])
})

test('when the last channel refuses, the notice has failed and operators are notified', async () => {
  const operator = { email: 'op@shop.example', webhook: null, phone: null, channels: ['email' as const] }
  const routing = route(['email', 'sms'], { operator })
  await writeCustomer(database.sql, 'test1', contact({ phone: '+821012345678' }))
  await database.commit([reserved({ reservationid: randomUUID() })], { routing })
  const asked: string[] = []
  const [email, sms] = channels(
    { email: { type: 'sent' }, sms: { type: 'failed', error: 'no such number' } },
    asked,
  )
  await using mails = start(email!, { routing, pollMs: 20 })
  await using _texts = start(sms!, { routing })
  await mails.tally.until('sent', 1)
  expect(asked).toEqual(['sms +821012345678', 'email op@shop.example'])
  expect(await database.summary()).toEqual(['reserved sms failed', 'delivery-failed email sent'])
})

test("M5: a notice goes to its customer's current address", async () => {
  const asked: string[] = []
  const routing = route(['email'])
  await database.commit([reserved({ reservationid: randomUUID() })], { routing })
  await writeCustomer(database.sql, 'test1', contact({ email: 'moved@example.com' }))
  await using running = start(channels({ email: { type: 'sent' } }, asked)[0]!, { routing })
  await running.tally.until('sent', 1)
  expect(asked).toEqual(['email moved@example.com'])
})

test('a receiver that asks for time gets it', async () => {
  await database.commit([reserved({ reservationid: randomUUID() })])
  await using running = start(fake(() => ({ type: 'retry', error: 'busy', afterMs: 3_600_000 })))
  await running.tally.until('retry', 1)
  const [row] = await database.sql<{ minutes: number }[]>`
    select extract(epoch from due_at - now()) / 60 as minutes from undelivered`
  expect(Number(row!.minutes)).toBeGreaterThan(59)
})

test('a receiver that never comes back is given up too', async () => {
  await database.commit([reserved({ reservationid: randomUUID() })])
  await database.sql`update notice set created_at = created_at - interval '25 hours'`
  await using running = start(
    fake(() => ({ type: 'deferred', error: 'The receiver is down', afterMs: 1_000 })),
  )
  await running.tally.until('failed', 1)
})

test('M5: a success that an operator retries is not sent if it was canceled meanwhile', async () => {
  const sent: string[] = []
  const reservationid = randomUUID()
  await database.commit([reserved({ reservationid })])
  await markAll(database.sql, [mark((await claimDue(database.sql, 'chat', 1, 0))[0]!, 'failed')])
  await database.commit([released({ reservationid })])
  const { noticeid } = (await database.notices())[0]!
  expect(await retryNotice(database.sql, noticeid, 'chat')).toBe(true)
  await using running = start(
    fake((notice) => {
      sent.push(notice.kind)
      return { type: 'sent' }
    }),
  )
  await running.tally.until('superseded', 1)
  await running.tally.until('sent', 1)
  expect(sent).toEqual(['cancelled'])
  expect(await database.summary()).toEqual(['reserved chat superseded', 'cancelled chat sent'])
})

test.each<[string, (whose: { reservationid: string }) => StockEvent[][], string[]]>([
  [
    'a cancellation that does not say that the copy was ready',
    (whose) => [[queue.shelved(whose)], [released(whose)]],
    ['cancelled'],
  ],
  [
    'a hand-over that does not say of which turn',
    (whose) => [
      [queue.shelved(whose), queue.takenBack(whose), queue.shelved(whose, monday, 2)],
      [queue.handedOver(whose)],
    ],
    [],
  ],
  [
    'the end of a wait, after the copy was taken back',
    (whose) => [[queue.served(whose), queue.takenBack(whose)], [queue.lapsed(whose)]],
    ['failed'],
  ],
])('M5: after %s nothing is sent but the end', async (_, batches, kinds) => {
  const whose = { reservationid: randomUUID() }
  for (const events of batches(whose)) await database.commit(events)
  await database.sql`update undelivered set due_at = now()`
  const sent: string[] = []
  await using running = start(
    fake((notice) => {
      sent.push(notice.kind)
      return { type: 'sent' }
    }),
  )
  await running.tally.until('superseded', 1)
  await eventually(async () => (await statusOf('chat')).every((it) => it !== 'pending'))
  expect(sent).toEqual(kinds)
})

test('M5: an extension after a copy was taken back is sent, and the reminder of its deadline stays', async () => {
  const whose = { reservationid: randomUUID() }
  const later = '2999-12-31T09:00:00.000Z'
  await database.commit([queue.shelved(whose), queue.takenBack(whose), queue.shelved(whose, monday, 2)])
  await database.commit([queue.extended(whose, later, 2)])
  await database.sql`update undelivered set due_at = now()`
  const sent: string[] = []
  await using running = start(
    fake((notice) => {
      sent.push(notice.kind)
      return { type: 'sent' }
    }),
  )
  await running.tally.until('sent', 3)
  expect(sent.toSorted()).toEqual(['extended', 'ready', 'reminder'])
})

test('M5: a reminder that could not be sent before its deadline is not sent after it', async () => {
  const whose = { reservationid: randomUUID() }
  await database.commit([queue.extended(whose, '2999-12-31T09:00:00.000Z')])
  const past = { pickupBy: '2026-01-05T09:00:00.000Z', remindAt: '2026-01-04T09:00:00.000Z' }
  await database.sql`update notice set details = details || ${JSON.stringify(past)}::text::jsonb where kind = 'reminder'`
  await database.sql`update undelivered set due_at = now()`
  const sent: string[] = []
  await using running = start(
    fake((notice) => {
      sent.push(notice.kind)
      return { type: 'sent' }
    }),
  )
  await running.tally.until('superseded', 1)
  await running.tally.until('sent', 1)
  expect(sent).toEqual(['extended'])
})

test('a notice is worded in the time zone of the library', async () => {
  await database.commit([queue.shelved({ reservationid: randomUUID() }, monday)])
  const zones: string[] = []
  await using running = start(
    fake(({ timeZone }) => {
      zones.push(timeZone)
      return { type: 'sent' }
    }),
    { routing: { ...chat, timeZone: 'Europe/Berlin' } },
  )
  await running.tally.until('sent', 1)
  expect(zones[0]).toBe('Europe/Berlin')
})

test('a notice that an operator retries has as much time as a new one', async () => {
  await database.commit([reserved({ reservationid: randomUUID() })])
  const [claimed] = await claimDue(database.sql, 'chat', 1, 0)
  await markAll(database.sql, [mark(claimed!, 'failed')])
  await database.sql`update notice set created_at = now() - interval '30 hours'`
  await retryNotice(database.sql, claimed!.noticeid, 'chat')
  await using running = start(fake(() => ({ type: 'retry', error: 'busy' })))
  await running.tally.until('retry', 1)
  expect(await database.summary()).toEqual(['reserved chat pending'])
})
