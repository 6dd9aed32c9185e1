import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Sql } from '../../../streams/postgres.ts'
import type { StockEvent } from '../../messages.ts'
import type { ChannelName } from '../channels/all.ts'
import {
  chat,
  declined,
  ordered,
  purchaseRequested,
  queue,
  received,
  refused,
  released,
  reserved,
  route,
} from '../plan/testing.ts'
import { deliveryOf, mark, NotifierDatabase } from '../testing.ts'
import { readAttempts } from './attempts.ts'
import { claimDue, markAll, overdueSeconds, pruneNotices, renewClaims } from './queue.ts'

let database: NotifierDatabase
beforeAll(async () => {
  database = await NotifierDatabase.create()
})
beforeEach(async () => {
  await database.sql`truncate notice, undelivered, attempt, alert, customer, book`
})
afterAll(() => database[Symbol.asyncDispose]())

const claim = (leaseMs = 60_000) => claimDue(database.sql, 'chat', 100, leaseMs)
const undelivered = async () =>
  (await database.sql<{ count: number }[]>`select count(*) from undelivered`)[0]!.count

test('N1: an outcome that stock repeats makes no second notice', async () => {
  const event = reserved({ reservationid: randomUUID() })
  await database.commit([event])
  await database.commit([event, { ...event, version: 5 }])
  expect(await database.summary()).toEqual(['reserved chat pending'])
  expect(await undelivered()).toBe(1)
})

test('a fenced-out owner inserts nothing and withdraws nothing', async () => {
  const reservationid = randomUUID()
  await database.commit([reserved({ reservationid })])
  await database.commit([released({ reservationid })], { fence: false })
  expect(await database.summary()).toEqual(['reserved chat pending'])
  expect(await claim()).toHaveLength(1)
})

test('N2: a cancellation supersedes an unsent success, also in the same batch', async () => {
  const [a, b] = [randomUUID(), randomUUID()] as const
  await database.commit([reserved({ reservationid: a })])
  await database.commit([
    released({ reservationid: a }),
    reserved({ reservationid: b }),
    released({ reservationid: b }),
  ])
  expect(await database.summary()).toEqual([
    'reserved chat superseded',
    'cancelled chat pending',
    'reserved chat superseded',
    'cancelled chat pending',
  ])
  expect((await claim()).map((it) => it.kind)).toEqual(['cancelled', 'cancelled'])
})

test('a notice is overdue from its due time until it is claimed, and never after it was given up', async () => {
  const overdue = () => overdueSeconds(database.sql, 'chat')
  await database.commit([reserved({ reservationid: randomUUID() }), refused({ reservationid: randomUUID() })])
  await database.sql`
    update undelivered set due_at = case seq when (select min(seq) from undelivered) then 'infinity' else now() end
      - interval '30 seconds'`
  expect(await overdue()).toBeGreaterThanOrEqual(30)
  expect(await overdueSeconds(database.sql, 'email')).toBe(0)
  expect(await claim()).toHaveLength(1)
  expect(await overdue()).toBe(0)
})

test('N2: a cancellation supersedes an unsent failure', async () => {
  const reservationid = randomUUID()
  await database.commit([refused({ reservationid })])
  await database.commit([released({ reservationid })])
  expect(await database.summary()).toEqual(['failed chat superseded', 'cancelled chat pending'])
})

test('a success that was sent stays sent when the cancellation comes', async () => {
  const reservationid = randomUUID()
  await database.commit([reserved({ reservationid })])
  await markAll(database.sql, [mark((await claim())[0]!, 'sent')])
  await database.commit([released({ reservationid })])
  expect(await database.summary()).toEqual(['reserved chat sent', 'cancelled chat pending'])
})

test('N3: a success that comes after its cancellation is never sent', async () => {
  const reservationid = randomUUID()
  await database.commit([released({ reservationid })])
  await database.commit([reserved({ reservationid })])
  expect(await database.summary()).toEqual(['cancelled chat pending', 'reserved chat superseded'])
  expect((await claim()).map((it) => it.kind)).toEqual(['cancelled'])
})

describe('a notice is claimed with', () => {
  const claimedTitle = async () => {
    await database.sql`update undelivered set due_at = now()`
    const [{ title, author } = {}] = await claim()
    return { title, author }
  }
  const describedBy = (events: StockEvent[], options = {}) => database.commit(events, options)
  const first = received('Momo', { author: 'M. Ende', version: 1 })

  test('the title and author of the last receipt, whichever came first', async () => {
    await describedBy([reserved({ reservationid: randomUUID() })])
    expect(await claimedTitle()).toEqual({ title: null, author: null })
    await describedBy([first, received('Elsewhere', { bookid: '2' })])
    expect(await claimedTitle()).toEqual({ title: 'Momo', author: 'M. Ende' })
    await describedBy([received('Wrong', { version: 3 }), received('Momo, illustrated', { version: 4 })])
    expect(await claimedTitle()).toEqual({ title: 'Momo, illustrated', author: '' })
  })

  test('no title of an older receipt, nor of one that a fenced-out owner read', async () => {
    await describedBy([reserved({ reservationid: randomUUID() }), received('Momo', { version: 5 })])
    await describedBy([received('Old', { version: 4 })])
    await describedBy([received('Fenced out', { version: 6 })], { fence: false })
    expect(await claimedTitle()).toEqual({ title: 'Momo', author: '' })
  })
})

test('a notice waits for its delay', async () => {
  await database.commit([refused({ reservationid: randomUUID() })], { delayMs: 60_000 })
  expect(await claim()).toEqual([])
})

test('Q1: a claimed notice can be claimed again only after the lease', async () => {
  await database.commit([reserved({ reservationid: randomUUID() })])
  const [first] = await claim()
  expect(first).toMatchObject({ kind: 'reserved', userid: 'test1', bookid: '1', attempts: 1 })
  expect(await claim()).toEqual([])
  await database.sql`update undelivered set due_at = now()`
  const [second] = await claim()
  expect(second).toMatchObject({ noticeid: first!.noticeid, attempts: 2 })
})

test('a renewed claim lasts longer, and a lost one stays lost', async () => {
  await database.commit([reserved({ reservationid: randomUUID() })])
  const [claimed] = await claim(0)
  await renewClaims(database.sql, [claimed!], 60_000)
  expect(await claim()).toEqual([])
  await renewClaims(database.sql, [claimed!], 0)
  const [other] = await claim()
  expect(other!.attempts).toBe(2)
  await renewClaims(database.sql, [claimed!], 0)
  expect(await claim()).toEqual([])
})

test('two dispatchers never claim the same notice', async () => {
  await database.commit(Array.from({ length: 200 }, () => reserved({ reservationid: randomUUID() })))
  const claims = await Promise.all(
    Array.from({ length: 8 }, () => claimDue(database.sql, 'chat', 40, 60_000)),
  )
  const seqs = claims.flat().map((it) => it.seq)
  expect(new Set(seqs).size).toBe(seqs.length)
})

test('Q2: an expired claim can only mark a notice as sent', async () => {
  await database.commit([reserved({ reservationid: randomUUID() })])
  const [stale] = await claim(0)
  const [fresh] = await claim()
  await markAll(database.sql, [mark(stale!, 'failed')])
  expect(await database.summary()).toEqual(['reserved chat pending'])
  await markAll(database.sql, [mark(stale!, 'sent')])
  expect(await database.summary()).toEqual(['reserved chat sent'])
  await markAll(database.sql, [mark(fresh!, 'retry')])
  expect(await database.summary()).toEqual(['reserved chat sent'])
  expect(await undelivered()).toBe(0)
})

test('a notice that was superseded during its delivery is sent if it arrived, and stays superseded otherwise', async () => {
  const [a, b] = [randomUUID(), randomUUID()] as const
  await database.commit([reserved({ reservationid: a }), reserved({ reservationid: b })])
  const [first, second] = await claim()
  await database.commit([released({ reservationid: a }), released({ reservationid: b })])
  await markAll(database.sql, [mark(first!, 'sent'), mark(second!, 'retry')])
  expect((await database.summary()).slice(0, 2)).toEqual(['reserved chat sent', 'reserved chat superseded'])
  expect((await claim()).map((it) => it.kind)).toEqual(['cancelled', 'cancelled'])
})

test('each outcome is recorded', async () => {
  await database.commit(Array.from({ length: 4 }, () => reserved({ reservationid: randomUUID() })))
  const [a, b, c, d] = await claim()
  await markAll(database.sql, [
    mark(a!, 'sent'),
    mark(b!, 'retry', { afterMs: 60_000 }),
    mark(c!, 'failed'),
    mark(d!, 'deferred'),
  ])
  expect((await database.notices()).map((it) => [it.status, it.attempts, it.last_error])).toEqual([
    ['sent', 1, null],
    ['pending', 1, 'because'],
    ['failed', 1, 'because'],
    ['pending', 0, 'because'],
  ])
  expect((await claim()).map((it) => [it.seq, it.attempts])).toEqual([[d!.seq, 1]])
})

test('a notice that was given up is not withdrawn by a cancellation', async () => {
  const reservationid = randomUUID()
  await database.commit([reserved({ reservationid })])
  await markAll(database.sql, [mark((await claim())[0]!, 'failed')])
  await database.commit([released({ reservationid })])
  expect(await database.summary()).toEqual(['reserved chat failed', 'cancelled chat pending'])
})

test('notices past their retention are deleted, younger ones are kept', async () => {
  await database.commit([reserved({ reservationid: randomUUID() }), refused({ reservationid: randomUUID() })])
  await database.sql`update notice set created_at = now() - interval '91 days' where kind = 'reserved'`
  // On the console and in chat.
  expect(await pruneNotices(database.sql, 90, 100)).toBe(2)
  expect(await database.summary()).toEqual(['failed chat pending'])
  expect(await undelivered()).toBe(1)
})

test('Q4: withdrawing and marking at once wait for each other, never in a circle', async () => {
  const ids = Array.from({ length: 100 }, () => randomUUID())
  await database.commit(ids.map((reservationid) => reserved({ reservationid })))
  const claimed = await claim()
  await Promise.all([
    database.commit(
      ids.toReversed().map((reservationid) => released({ reservationid })),
      { routing: chat },
    ),
    markAll(
      database.sql,
      claimed.map((it) => mark(it, 'sent')),
    ),
    markAll(
      database.sql,
      claimed.toReversed().map((it) => mark(it, 'sent')),
    ),
  ])
  const reservedOnes = (await database.summary()).filter((it) => it.startsWith('reserved'))
  expect(new Set(reservedOnes)).toEqual(new Set(['reserved chat sent']))
})

test('hot statements use indexes even while the statistics say that the tables are small', async () => {
  await using fresh = await NotifierDatabase.create({ connections: 1 })
  const { sql } = fresh
  // A planner that knows how few rows there are prefers a scan, and would keep that plan for millions of rows.
  await fresh.commit([reserved({ reservationid: randomUUID() })])
  await sql`analyze notice, undelivered, customer, book`
  // Building an index counts as a scan too, so only the difference counts.
  const before = await scans(sql)
  const events = [reserved({ reservationid: randomUUID() }), refused({ reservationid: randomUUID() })]
  for (const event of [...events, released({ reservationid: randomUUID() }), received('Momo')]) {
    await fresh.commit([event])
    const claimed = await claimDue(sql, 'chat', 10, 60_000)
    await markAll(
      sql,
      claimed.map((it) => mark(it, 'sent')),
    )
  }
  expect(await scans(sql)).toEqual(before)
})

async function scans(sql: Sql): Promise<Record<string, number>> {
  await sql`select pg_stat_force_next_flush()`
  const rows = await sql<{ relname: string; seq_scan: number }[]>`
    select relname, seq_scan from pg_stat_user_tables where relname in ('notice', 'undelivered', 'customer', 'book')`
  return Object.fromEntries(rows.map((it) => [it.relname, it.seq_scan]))
}

/** To the purchaser by e-mail, to operators by SMS. */
const shop = route(['email', 'sms'], {
  purchaser: { email: 'p@shop.example', webhook: null, phone: null, channels: ['email'] },
})
const failureNotices = { channels: ['sms', 'email'] as ChannelName[], gatherMs: 0 }

const dayMs = 24 * 60 * 60 * 1_000
const inDays = (days: number) => new Date(Date.now() + days * dayMs).toISOString()
/** Each notice in the queue, and in how many hours it is due. */
const schedule = async () => {
  const rows = await database.sql<{ kind: string; hours: number }[]>`
    select n.kind, round(extract(epoch from u.due_at - now()) / 3600)::int as hours
    from undelivered u join notice n on n.seq = u.seq order by u.seq`
  return rows.map(({ kind, hours }) => `${kind} in ${hours} h`)
}

describe('a reminder', () => {
  test('N5: is due a day before the deadline', async () => {
    await database.commit([queue.shelved({ reservationid: randomUUID() }, inDays(3))])
    expect(await schedule()).toEqual(['ready in 0 h', 'reminder in 48 h'])
    expect((await claim()).map((it) => it.kind)).toEqual(['ready'])
  })

  test('N5: moves with an extension, once, although its event is added to the stream several times', async () => {
    const whose = { reservationid: randomUUID() }
    await database.commit([queue.shelved(whose, inDays(3))])
    const extension = deliveryOf(queue.extended(whose, inDays(6)))
    for (const _ of [1, 2]) {
      await database.commitDeliveries([extension])
      expect(await schedule()).toEqual(['ready in 0 h', 'extended in 0 h', 'reminder in 120 h'])
    }
    await database.commit([queue.extended(whose, inDays(4)), queue.extended(whose, inDays(6))])
    expect(await schedule()).toEqual(['ready in 0 h', 'extended in 0 h', 'reminder in 120 h'])
  })

  test.each([
    ['handed over', queue.handedOver, []],
    ['expired', queue.expired, ['expired in 0 h']],
    ['taken back', queue.takenBack, ['taken-back in 0 h']],
    ['canceled by staff', queue.canceled, ['cancelled in 0 h']],
  ])('N4: leaves the queue together with the other notices when the copy is %s', async (_, end, left) => {
    const whose = { reservationid: randomUUID() }
    await database.commit([queue.served(whose), queue.shelved(whose, inDays(3))])
    await database.commit([queue.extended(whose, inDays(4))])
    await database.commit([end(whose)], { fence: false })
    expect(await schedule()).toHaveLength(3)
    const other = randomUUID()
    await database.commit([end(whose), queue.shelved({ reservationid: other }, inDays(3))])
    expect(await schedule()).toEqual([...left, 'ready in 0 h', 'reminder in 48 h'])
  })

  test('N4: of a second turn leaves the queue too', async () => {
    const whose = { reservationid: randomUUID() }
    await database.commit([queue.shelved(whose, inDays(3)), queue.takenBack(whose)])
    await database.commit([queue.served(whose, 2), queue.shelved(whose, inDays(3), 2)])
    await database.commit([queue.handedOver(whose)])
    // Its claim shows that the first of these is no longer true.
    expect(await schedule()).toEqual(['ready in 0 h'])
  })

  /** Handles an event that became a dead letter an hour ago, though the events after it were handled. */
  const redrive = (event: StockEvent) => {
    const { envelope, ...delivery } = deliveryOf(event)
    const time = new Date(Date.now() - 3_600_000).toISOString()
    return database.commitDeliveries([{ ...delivery, envelope: { ...envelope, time }, redriven: true }])
  }

  test('N4: stays when an older event is redriven, and gets none beside it', async () => {
    const whose = { reservationid: randomUUID() }
    await database.commit([queue.extended(whose, inDays(6))])
    const schedules = [await schedule()]
    for (const old of [
      queue.shelved(whose, inDays(3)),
      queue.extended(whose, inDays(4)),
      queue.takenBack(whose),
    ]) {
      await redrive(old)
      schedules.push((await schedule()).filter((it) => !it.startsWith('taken-back')))
    }
    for (const it of schedules) expect(it).toEqual(['extended in 0 h', 'reminder in 120 h'])
  })

  test('N4: an event that is redriven notifies of nothing that later events have made untrue', async () => {
    const whose = { reservationid: randomUUID() }
    await database.commit([queue.handedOver(whose)])
    for (const old of [queue.queued(whose), queue.served(whose), queue.shelved(whose, inDays(3))])
      await redrive(old)
    expect(await schedule()).toEqual([])
    const untold = { reservationid: randomUUID() }
    await redrive(queue.served(untold))
    expect(await schedule()).toEqual(['reserved in 0 h'])
  })

  test('has a day for its delivery from when it is due', async () => {
    await database.commit([queue.shelved({ reservationid: randomUUID() }, inDays(3))])
    await database.sql`update notice set created_at = now() - interval '60 days'`
    await database.sql`update undelivered set due_at = now()`
    const claimed = await claim()
    expect(claimed.map((it) => [it.kind, it.ageMs > dayMs])).toEqual([
      ['ready', true],
      ['reminder', false],
    ])
  })
})

test('an event of a book with rules is handled beside those of others, in one batch', async () => {
  const [a, b, c] = [randomUUID(), randomUUID(), randomUUID()].map((reservationid) => ({ reservationid }))
  await database.commit([reserved(a!), refused(b!)])
  await database.commit([released(a!), queue.queued(c!), purchaseRequested(2), received('Momo')])
  expect(await database.summary()).toEqual([
    'reserved chat superseded',
    'failed chat pending',
    'cancelled chat pending',
    'queued chat pending',
    'purchase-requested chat pending',
  ])
  expect((await claim()).map((it) => it.details)).toEqual([
    null,
    null,
    { type: 'reservation', position: 3 },
    null,
  ])
})

test('G1, G2: unsent requests for one book become one, with their total shortage', async () => {
  const buy = (events: StockEvent[]) => database.commit(events, { routing: shop })
  await buy([refused({ reservationid: randomUUID() }), purchaseRequested(1)])
  await buy([refused({ reservationid: randomUUID() }), refused({ reservationid: randomUUID() })])
  await buy([refused({ reservationid: randomUUID() }), purchaseRequested(1)])
  await buy([purchaseRequested(1, '2')])
  const rows = async () =>
    (await database.notices()).map((it) => `${it.kind} ${it.channel} ${it.status} ${it.shortage}`)
  expect(await rows()).toEqual(['purchase-requested email pending 4', 'purchase-requested email pending 1'])
  // Once delivery is attempted, the notice no longer changes.
  const [claimed] = await claimDue(database.sql, 'email', 1, 60_000)
  await buy([purchaseRequested(1)])
  await markAll(database.sql, [mark(claimed!, 'sent', { channel: 'email' })])
  await buy([refused({ reservationid: randomUUID() })])
  expect(await rows()).toEqual([
    'purchase-requested email sent 4',
    'purchase-requested email pending 1',
    'purchase-requested email pending 2',
  ])
})

test('G3: a request whose book was ordered before it was sent is not sent, and a request after the order is', async () => {
  const buy = (events: StockEvent[], fence = true) => database.commit(events, { routing: shop, fence })
  const rows = async () => (await database.notices()).map((it) => `${it.bookid} ${it.status} ${it.shortage}`)
  await buy([purchaseRequested(1), refused({ reservationid: randomUUID() }), purchaseRequested(1, '2')])
  await buy([ordered()], false)
  expect(await rows()).toEqual(['1 pending 2', '2 pending 1'])
  await buy([ordered()])
  expect(await rows()).toEqual(['1 superseded 2', '2 pending 1'])
  // In one batch: a request before the order is not raised by one after it.
  await buy([purchaseRequested(1)])
  await buy([refused({ reservationid: randomUUID() }), ordered(), purchaseRequested(1)])
  expect(await rows()).toEqual(['1 superseded 2', '2 pending 1', '1 superseded 1', '1 pending 1'])
  expect(await claimDue(database.sql, 'email', 10, 0)).toMatchObject([{ bookid: '2' }, { bookid: '1' }])
})

test('an answer that stock repeats raises no request', async () => {
  const answer = refused({ reservationid: randomUUID() })
  await database.commit([answer, purchaseRequested(1)], { routing: shop })
  await database.commit([answer], { routing: shop })
  expect((await database.notices())[0]).toMatchObject({ shortage: 1 })
})

test('G3: a request whose book is not going to be bought is not sent', async () => {
  await database.commit([purchaseRequested(1)], { routing: shop })
  await database.commit([declined()], { routing: shop })
  expect(await database.summary()).toEqual(['purchase-requested email superseded'])
})

test('G3: a request of a queue that is empty again is not sent, unless reservations were refused', async () => {
  const buy = (...events: StockEvent[]) => database.commit(events, { routing: shop })
  const whose = { reservationid: randomUUID() }
  await buy(purchaseRequested(0, '1', 1))
  await buy(queue.served(whose))
  await buy(refused({ reservationid: randomUUID() }), purchaseRequested(1, '1', 1))
  await buy(queue.served(whose, 2))
  await buy(purchaseRequested(0, '2', 1))
  await buy(queue.served({ ...whose, bookid: '2' }, 3), purchaseRequested(0, '2', 4))
  const rows = (await database.notices()).map((it) => `${it.bookid} ${it.status} ${it.shortage}`)
  expect(rows).toEqual(['1 superseded 0', '1 pending 1', '2 pending 0'])
})

test('G4: an unsent request says how many wait since the last one', async () => {
  const buy = (...events: StockEvent[]) => database.commit(events, { routing: shop })
  const due = async () => {
    await database.sql`update undelivered set due_at = now(), attempts = 0`
    return await claimDue(database.sql, 'email', 1, 60_000)
  }
  await buy(purchaseRequested(0, '1', 3), queue.queued({ reservationid: randomUUID() }))
  expect(await due()).toMatchObject([{ shortage: 0, details: { type: 'purchase', waiting: 3 } }])
  await database.sql`update undelivered set attempts = 0`
  await buy(purchaseRequested(0, '1', 5), refused({ reservationid: randomUUID() }))
  expect(await due()).toMatchObject([{ shortage: 1, details: { type: 'purchase', waiting: 5 } }])
  await database.sql`update undelivered set attempts = 0`
  await buy(refused({ reservationid: randomUUID() }))
  expect(await due()).toMatchObject([{ shortage: 2, details: { type: 'purchase', waiting: 5 } }])
})

test('a fenced-out owner adds nothing to a request', async () => {
  await database.commit([purchaseRequested(1)], { routing: shop })
  await database.commit([purchaseRequested(1)], { routing: shop, fence: false })
  expect((await database.notices()).map((it) => it.shortage)).toEqual([1])
})

test('a purchase request waits longer than other notices, so that others can be added', async () => {
  await database.commit([purchaseRequested(1)], { routing: shop, gatherMs: 60_000 })
  expect(await claimDue(database.sql, 'email', 1, 0)).toEqual([])
})

test('the chat gets each purchase request, even if the book did not change in between', async () => {
  await database.commit([purchaseRequested()])
  await database.commit([purchaseRequested()])
  expect(await database.summary()).toEqual(Array(2).fill('purchase-requested chat pending'))
})

test('Q3: a notice that one channel refuses moves to the next, at once and under the same id', async () => {
  await database.commit([reserved({ reservationid: randomUUID() })])
  const [first] = await claim()
  await markAll(database.sql, [mark(first!, 'fallback', { next: 'sms', answer: '410 Gone' })])
  expect(await claim()).toEqual([])
  const [second] = await claimDue(database.sql, 'sms', 1, 60_000)
  expect(second).toMatchObject({ noticeid: first!.noticeid, attempts: 2, refused: ['chat'] })
  await markAll(database.sql, [mark(second!, 'sent', { channel: 'sms', answer: '200 OK' })])
  expect(await database.notices()).toMatchObject([{ channel: 'sms', status: 'sent', attempts: 2 }])
  expect(await readAttempts(database.sql, first!.seq)).toEqual([
    { at: expect.any(Date), channel: 'chat', outcome: 'failed', error: 'because', answer: '410 Gone' },
    { at: expect.any(Date), channel: 'sms', outcome: 'sent', error: null, answer: '200 OK' },
  ])
})

test('an attempt that is marked twice because its commit was in doubt is logged once', async () => {
  await database.commit([reserved({ reservationid: randomUUID() })])
  const [claimed] = await claim()
  await markAll(database.sql, [mark(claimed!, 'sent')])
  await markAll(database.sql, [mark(claimed!, 'sent')])
  expect(await readAttempts(database.sql, claimed!.seq)).toHaveLength(1)
  expect(await database.summary()).toEqual(['reserved chat sent'])
})

test('operators are notified of notices that are given up, gathered by channel', async () => {
  const fail = async (count: number) => {
    await database.commit(Array.from({ length: count }, () => reserved({ reservationid: randomUUID() })))
    await markAll(
      database.sql,
      (await claim()).map((it) => mark(it, 'failed')),
      failureNotices,
    )
  }
  await fail(3)
  await fail(2)
  const notices = (await database.notices()).filter((it) => it.kind === 'delivery-failed')
  expect(notices.map((it) => `${it.channel} ${it.status}`)).toEqual(['sms pending', 'email pending'])
  const [due] = await claimDue(database.sql, 'sms', 1, 60_000)
  expect(due).toMatchObject({
    kind: 'delivery-failed',
    userid: null,
    bookid: '1',
    reason: 'because',
    details: { type: 'failure', kind: 'reserved', channel: 'chat', more: 4 },
  })
  // That notice is in flight, so later failures make a new one.
  await fail(1)
  const [next] = await claimDue(database.sql, 'sms', 1, 60_000)
  expect(next).toMatchObject({ details: { more: 0 } })
})

test('a failed failure notice causes no other, and the channel that failed is not used', async () => {
  await database.commit([reserved({ reservationid: randomUUID() })], { routing: shop })
  await database.commit([reserved({ reservationid: randomUUID() })])
  await markAll(
    database.sql,
    (await claim()).map((it) => mark(it, 'failed')),
    { channels: ['chat', 'sms'], gatherMs: 0 },
  )
  const [about] = await claimDue(database.sql, 'sms', 1, 60_000)
  await markAll(database.sql, [mark(about!, 'failed', { channel: 'sms' })], failureNotices)
  expect(await database.summary()).toEqual(['reserved chat failed', 'delivery-failed sms failed'])
})

test('an expired claim notifies no operator of a failure', async () => {
  await database.commit([reserved({ reservationid: randomUUID() })])
  const [stale] = await claim(0)
  await claim()
  await markAll(database.sql, [mark(stale!, 'failed')], failureNotices)
  expect(await database.summary()).toEqual(['reserved chat pending'])
})
