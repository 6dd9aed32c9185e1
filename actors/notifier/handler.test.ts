import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Told } from './console.ts'
import { waryEvents } from './handler.ts'
import {
  deliveryOf,
  NotifierDatabase,
  nobody,
  ordered,
  purchaseRequested,
  released,
  reserved,
  worker,
} from './testing.ts'

let database: NotifierDatabase
beforeAll(async () => {
  database = await NotifierDatabase.create()
})
beforeEach(async () => {
  await database.sql`truncate notice, undelivered, attempt, alert, customer`
})
afterAll(() => database[Symbol.asyncDispose]())

const summary = (told: Told[]) => told.map(({ kind, reservationid }) => `${kind} ${reservationid}`)
const console = () => database.sql`
  select kind, status, attempts, sent_at is not null as at from notice where channel = 'console' order by seq`
const sent = { status: 'sent', attempts: 1, at: true }

test('the console is told at once, and noted as told with the offset', async () => {
  const reservationid = randomUUID()
  const told = await database.commit([reserved({ reservationid }), purchaseRequested()], { routing: nobody })
  expect(summary(told)).toEqual([`reserved ${reservationid}`, 'purchase-requested null'])
  expect(await console()).toEqual([
    { kind: 'reserved', ...sent },
    { kind: 'purchase-requested', ...sent },
  ])
})

test('an answer that stock repeats tells the console nothing', async () => {
  const event = reserved({ reservationid: randomUUID() })
  await database.commit([event], { routing: nobody })
  expect(await database.commit([event, event], { routing: nobody })).toEqual([])
  expect(await console()).toHaveLength(1)
})

test('a batch that is handled again, since nobody knew whether it was committed, tells the console once', async () => {
  const [first, second] = [
    reserved({ reservationid: randomUUID() }),
    reserved({ reservationid: randomUUID() }),
  ]
  const told: Told[] = []
  const handler = database.handler({ routing: nobody, tell: (notices) => told.push(...notices) })
  await database.commit([first], { handler, fence: false })
  await database.commit([first, second], { handler })
  expect(told.map((it) => it.reservationid)).toEqual(
    [first, second].map((it) => 'reservationid' in it && it.reservationid),
  )
  expect(await console()).toEqual([
    { kind: 'reserved', ...sent },
    { kind: 'reserved', ...sent },
  ])
})

test('a success is not told on the console beside or after its cancellation', async () => {
  const [early, late] = [randomUUID(), randomUUID()]
  const both = [reserved({ reservationid: early }), released({ reservationid: early })]
  expect(summary(await database.commit(both, { routing: nobody }))).toEqual([`cancelled ${early}`])
  await database.commit([released({ reservationid: late })], { routing: nobody })
  expect(await database.commit([reserved({ reservationid: late })], { routing: nobody })).toEqual([])
})

test('nothing is told on the console while the lease is about to run out', async () => {
  const event = reserved({ reservationid: randomUUID() })
  const told: Told[] = []
  const handler = database.handler({
    routing: nobody,
    leaseMarginMs: 1_000,
    tell: (notices) => told.push(...notices),
  })
  const lease = (until: string) => database.sql`update mailbox set lease_until = ${until}::text::timestamptz`
  await lease(new Date(Date.now() + 500).toISOString())
  await expect(database.commit([event], { handler })).rejects.toThrow('the leases are about to run out')
  await lease('infinity')
  await database.sql`update mailbox set owner = 'another'`
  await expect(database.commit([event], { handler })).rejects.toThrow('the leases are about to run out')
  expect(told).toEqual([])
  await database.sql`update mailbox set owner = ${worker}`
  await database.commit([event], { handler })
  expect(told).toHaveLength(1)
})

describe('an answer that stock gives for the first time', () => {
  const first = true
  const events = () => {
    const whose = { reservationid: randomUUID(), first } as const
    return { answer: reserved(whose), cancellation: released(whose) }
  }

  /** A handler that has had so many events. */
  async function experienced(events: number) {
    const told: Told[] = []
    const handler = database.handler({ routing: nobody, tell: (notices) => told.push(...notices) })
    await handler.handle(Array(events).fill(deliveryOf(ordered())))
    return { handler, told }
  }

  test('is not looked for: Postgres refuses one that was noted all the same, and then it is not noted again', async () => {
    const { answer } = events()
    await database.commit([answer], { routing: nobody })
    const { handler } = await experienced(waryEvents)
    const batch = [events().answer, answer, events().cancellation]
    await expect(database.commit(batch, { handler })).rejects.toMatchObject({ code: '23505' })
    await database.commit(batch, { handler, fresh: true })
    expect((await console()).map((it) => it.kind)).toEqual(['reserved', 'reserved', 'cancelled'])
  })

  test('supersedes and is superseded as any other', async () => {
    const { handler, told } = await experienced(waryEvents)
    const [beside, before] = [events(), events()]
    await database.commit([beside.answer, beside.cancellation], { handler })
    await database.commit([before.answer], { handler })
    await database.commit([before.cancellation], { handler })
    expect(told.map((it) => it.kind)).toEqual(['cancelled', 'reserved', 'cancelled'])
  })

  test('is one that says so: without the mark, as a stock of an earlier version sends it, it is looked for', async () => {
    const { handler, told } = await experienced(waryEvents)
    const [known, late] = [randomUUID(), randomUUID()].map((reservationid) => ({ reservationid }))
    await database.commit([reserved(known!), released(late!)], { routing: nobody })
    await database.commit([reserved(known!), reserved(late!)], { handler })
    expect(told).toEqual([])
  })

  test('is one that was not read before: a copy that another client has slipped in is looked for', async () => {
    const { handler, told } = await experienced(waryEvents)
    const [one, two] = [events(), events()].map((it) => deliveryOf(it.answer))
    await database.commitDeliveries([one!], { handler })
    // Of the same commit, and of an older one.
    await database.commitDeliveries([one!], { handler })
    const later = {
      ...two!,
      envelope: { ...two!.envelope, time: new Date(Date.now() + 1_000).toISOString() },
    }
    await database.commitDeliveries([later, one!], { handler })
    expect(told).toHaveLength(2)
    expect(await console()).toHaveLength(2)
  })

  const untrusting: [string, () => Promise<Awaited<ReturnType<typeof experienced>>>][] = [
    ['at first', () => experienced(waryEvents - 1)],
    [
      'after any doubt',
      async () => {
        const it = await experienced(waryEvents)
        it.handler.forget?.(0)
        return it
      },
    ],
    [
      'after Postgres has refused a batch',
      async () => {
        const it = await experienced(waryEvents)
        await it.handler.handle([], true)
        return it
      },
    ],
  ]
  test.each(untrusting)('is looked for %s: what is known of it is not told again', async (_, experience) => {
    const [known, late] = [events(), events()]
    await database.commit([known.answer, late.cancellation], { routing: nobody })
    const { handler, told } = await experience()
    await database.commit([known.answer, late.answer], { handler })
    expect(told).toEqual([])
    expect(await database.sql`select status from notice where kind = 'reserved' order by seq`).toEqual([
      { status: 'sent' },
      { status: 'superseded' },
    ])
  })
})
