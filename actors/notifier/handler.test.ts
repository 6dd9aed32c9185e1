import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { PrintedNotice } from './console.ts'
import { lookupEvents } from './handler.ts'
import { nobody, ordered, purchaseRequested, released, reserved } from './plan/testing.ts'
import { deliveryOf, NotifierDatabase, worker } from './testing.ts'

let database: NotifierDatabase
beforeAll(async () => {
  database = await NotifierDatabase.create()
})
beforeEach(async () => {
  await database.sql`truncate notice, undelivered, attempt, alert, customer`
})
afterAll(() => database[Symbol.asyncDispose]())

const summary = (printed: PrintedNotice[]) =>
  printed.map(({ kind, reservationid }) => `${kind} ${reservationid}`)
const console = () => database.sql`
  select kind, status, attempts, sent_at is not null as at from notice where channel = 'console' order by seq`
const sent = { status: 'sent', attempts: 1, at: true }

test('notices are printed at once, and recorded as sent with the offset', async () => {
  const reservationid = randomUUID()
  const printed = await database.commit([reserved({ reservationid }), purchaseRequested()], {
    routing: nobody,
  })
  expect(summary(printed)).toEqual([`reserved ${reservationid}`, 'purchase-requested null'])
  expect(await console()).toEqual([
    { kind: 'reserved', ...sent },
    { kind: 'purchase-requested', ...sent },
  ])
})

test('an answer that stock repeats prints nothing', async () => {
  const event = reserved({ reservationid: randomUUID() })
  await database.commit([event], { routing: nobody })
  expect(await database.commit([event, event], { routing: nobody })).toEqual([])
  expect(await console()).toHaveLength(1)
})

test('a batch that is handled again because its commit was in doubt is printed once', async () => {
  const [first, second] = [
    reserved({ reservationid: randomUUID() }),
    reserved({ reservationid: randomUUID() }),
  ]
  const printed: PrintedNotice[] = []
  const handler = database.handler({ routing: nobody, print: (notices) => printed.push(...notices) })
  await database.commit([first], { handler, fence: false })
  await database.commit([first, second], { handler })
  expect(printed.map((it) => it.reservationid)).toEqual(
    [first, second].map((it) => 'reservationid' in it && it.reservationid),
  )
  expect(await console()).toEqual([
    { kind: 'reserved', ...sent },
    { kind: 'reserved', ...sent },
  ])
})

test('a success is not printed in the batch of its cancellation or later', async () => {
  const [early, late] = [randomUUID(), randomUUID()]
  const both = [reserved({ reservationid: early }), released({ reservationid: early })]
  expect(summary(await database.commit(both, { routing: nobody }))).toEqual([`cancelled ${early}`])
  await database.commit([released({ reservationid: late })], { routing: nobody })
  expect(await database.commit([reserved({ reservationid: late })], { routing: nobody })).toEqual([])
})

test('nothing is printed while the lease is about to run out', async () => {
  const event = reserved({ reservationid: randomUUID() })
  const printed: PrintedNotice[] = []
  const handler = database.handler({
    routing: nobody,
    leaseMarginMs: 1_000,
    print: (notices) => printed.push(...notices),
  })
  const lease = (until: string) => database.sql`update mailbox set lease_until = ${until}::text::timestamptz`
  await lease(new Date(Date.now() + 500).toISOString())
  await expect(database.commit([event], { handler })).rejects.toThrow('the leases are about to run out')
  await lease('infinity')
  await database.sql`update mailbox set owner = 'another'`
  await expect(database.commit([event], { handler })).rejects.toThrow('the leases are about to run out')
  expect(printed).toEqual([])
  await database.sql`update mailbox set owner = ${worker}`
  await database.commit([event], { handler })
  expect(printed).toHaveLength(1)
})

describe('an answer that stock marks as its first', () => {
  const first = true
  const events = () => {
    const whose = { reservationid: randomUUID(), first } as const
    return { answer: reserved(whose), cancellation: released(whose) }
  }

  /** A handler that has handled this many events. */
  async function experienced(events: number) {
    const printed: PrintedNotice[] = []
    const handler = database.handler({ routing: nobody, print: (notices) => printed.push(...notices) })
    await handler.handle(Array(events).fill(deliveryOf(ordered())))
    return { handler, printed }
  }

  test('is not looked up: if its notice exists, Postgres refuses the batch, and the next try inserts no second notice', async () => {
    const { answer } = events()
    await database.commit([answer], { routing: nobody })
    const { handler } = await experienced(lookupEvents)
    const batch = [events().answer, answer, events().cancellation]
    await expect(database.commit(batch, { handler })).rejects.toMatchObject({ code: '23505' })
    await database.commit(batch, { handler, afterRefusal: true })
    expect((await console()).map((it) => it.kind)).toEqual(['reserved', 'reserved', 'cancelled'])
  })

  test('supersedes and is superseded like any other', async () => {
    const { handler, printed } = await experienced(lookupEvents)
    const [beside, before] = [events(), events()]
    await database.commit([beside.answer, beside.cancellation], { handler })
    await database.commit([before.answer], { handler })
    await database.commit([before.cancellation], { handler })
    expect(printed.map((it) => it.kind)).toEqual(['cancelled', 'reserved', 'cancelled'])
  })

  test('needs the mark: an answer from an earlier version of stock, without it, is looked up', async () => {
    const { handler, printed } = await experienced(lookupEvents)
    const [known, late] = [randomUUID(), randomUUID()].map((reservationid) => ({ reservationid }))
    await database.commit([reserved(known!), released(late!)], { routing: nobody })
    await database.commit([reserved(known!), reserved(late!)], { handler })
    expect(printed).toEqual([])
  })

  test('is not trusted if it may have been read before: a copy from another client is looked up', async () => {
    const { handler, printed } = await experienced(lookupEvents)
    const [one, two] = [events(), events()].map((it) => deliveryOf(it.answer))
    await database.commitDeliveries([one!], { handler })
    // A copy from the same commit, and one from an older commit.
    await database.commitDeliveries([one!], { handler })
    const later = {
      ...two!,
      envelope: { ...two!.envelope, time: new Date(Date.now() + 1_000).toISOString() },
    }
    await database.commitDeliveries([later, one!], { handler })
    expect(printed).toHaveLength(2)
    expect(await console()).toHaveLength(2)
  })

  const untrusting: [string, () => Promise<Awaited<ReturnType<typeof experienced>>>][] = [
    ['at first', () => experienced(lookupEvents - 1)],
    [
      'after any doubt',
      async () => {
        const it = await experienced(lookupEvents)
        it.handler.forget?.(0)
        return it
      },
    ],
    [
      'after Postgres has refused a batch',
      async () => {
        const it = await experienced(lookupEvents)
        await it.handler.handle([], true)
        return it
      },
    ],
  ]
  test.each(untrusting)(
    'is looked up %s, and an existing notice is not printed again',
    async (_, experience) => {
      const [known, late] = [events(), events()]
      await database.commit([known.answer, late.cancellation], { routing: nobody })
      const { handler, printed } = await experience()
      await database.commit([known.answer, late.answer], { handler })
      expect(printed).toEqual([])
      expect(await database.sql`select status from notice where kind = 'reserved' order by seq`).toEqual([
        { status: 'sent' },
        { status: 'superseded' },
      ])
    },
  )
})
