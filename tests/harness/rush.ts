/**
 * A rush for one title: many customers wait, copies arrive for some of them, and at that moment others come, others leave, and
 * stock is killed: before it has committed that they arrived, and when half of them are set aside.
 */
import { expect } from 'vitest'
import { eventually, inParallel, range } from '../doubles/eventually.ts'
import { cancel, type Reservation, reserveUntilAccepted } from './acts.ts'
import { checkConsumers } from './audit.ts'
import type { System } from './system.ts'

export type Rush = {
  /** How many wait when copies arrive. */
  customers: number
  copies: number
  /** How many come at that moment. */
  newcomers: number
  /** How many of those who wait leave at that moment. */
  leavers: number
}

/** Settings of the system. */
export const env = { RULES: 'library' }

const bookid = 'wanted'
const clients = 64
const patience = { timeoutMs: 120_000 }

export async function rush(system: System, { customers, copies, newcomers, leavers }: Rush): Promise<void> {
  const { reservation, stock } = system
  const come = (name: string, count: number) =>
    inParallel(range(count), clients, (n) =>
      reserveUntilAccepted(reservation, bookid, `${name}-${n}`, `${name}-${n}`, patience.timeoutMs),
    )
  await receive(system, 0)
  const rules = await stock.put(`/stocks/${bookid}/rules`, { queueMax: 1_000_000, queuePerCopy: null })
  expect(rules.status, JSON.stringify(rules.body)).toBe(200)
  const waiting = await come('customer', customers)
  await eventually(async () => (await claims(system, 'waiting')) === customers, patience)

  const known = await keys(system)
  const arrival = await withoutCommits(system, async () => {
    const receipt = receive(system, copies)
    await eventually(async () => (await keys(system)) === known + 1, patience)
    const every = customers / leavers
    await Promise.all([
      come('newcomer', newcomers),
      inParallel(range(leavers), clients, (n) => leave(system, waiting[Math.floor(n * every)]!)),
    ])
    await system.processes.stock[0]!.restart()
    return { receipt }
  })
  await eventually(async () => (await claims(system, 'held')) >= copies / 2, patience)
  await system.processes.stock[0]!.restart()
  await arrival.receipt
  await quiet(system)
  await check(system, { copies, leavers })
}

/** Repeats the receipt with its key until it is answered. */
const receive = ({ stock }: System, qty: number) =>
  eventually(async () => {
    const headers = { 'idempotency-key': `receipt of ${qty}` }
    return (await stock.post('/stocks', { bookid, qty, title: 'Momo' }, { headers })).status === 201
  }, patience)

const leave = ({ reservation }: System, { reservationid }: Reservation) =>
  eventually(() => cancel(reservation, reservationid), patience)

/** While `act` runs, stock can read and decide, but not commit: copies that arrive are not served before others come and leave. */
async function withoutCommits<Result>({ sql }: System, act: () => Promise<Result>): Promise<Result> {
  const connection = await sql.reserve()
  try {
    await connection`begin`
    await connection`lock table stock.claim in share mode`
    return await act()
  } finally {
    await connection`rollback`
    connection.release()
  }
}

/** How many commands staff have sent. */
const keys = async ({ sql }: System) => (await sql`select from stock.idempotency`).length

async function claims({ sql }: System, kind: 'waiting' | 'held'): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*)::int as count from stock.claim where bookid = ${bookid} and kind = ${kind}`
  return row!.count
}

/** Waits until no copy is idle, and the reservation service knows each outcome. */
const quiet = ({ sql }: System) =>
  eventually(async () => {
    const [row] = await sql<{ open: number }[]>`
      select (select count(*) from reservation.outbox)::int
        + (select count(*) from reservation.reservation where status = 'Requested')::int
        + (select count(*) from stock.untended)::int
        + (select sum(available) from stock.book)::int
        + (select sum(s.seq - split_part(r.position, '-', 1)::bigint)
            from stock.mailbox s join reservation.mailbox r using (partition))::int as open`
    return row!.open === 0
  }, patience)

type Logged = {
  type: string
  data: { reservationid: string; place?: number; first?: boolean; available: number; held: number }
}

async function check(system: System, { copies, leavers }: Pick<Rush, 'copies' | 'leavers'>): Promise<void> {
  const { sql, stock, reservation } = system
  const log = await sql<Logged[]>`
    select type, data from stock.event_log where subject = ${bookid} order by seq`
  const { waits, held, overtaken } = replay(log)
  expect(overtaken, 'events that did not serve the first in line').toEqual([])
  expect(held.size).toBe(copies)
  expect(Math.max(...held.values()), 'served before those who wait').toBeLessThan(Math.min(...waits.keys()))

  const rows = await sql<{ reservationid: string; kind: string; place: number }[]>`
    select reservationid, kind, place from stock.claim where bookid = ${bookid} order by place`
  const { waiting, held: claimed } = Object.groupBy(rows, ({ kind }) => kind as 'waiting' | 'held')
  expect(waiting!.map(({ place, reservationid }) => [place, reservationid])).toEqual([...waits])
  expect(claimed!.map(({ place, reservationid }) => [reservationid, place])).toEqual([...held])
  expect(await sql`select bookid from stock.untended`).toEqual([])
  const { body } = await stock.get(`/stocks/${bookid}`)
  expect(body).toMatchObject({ qty: 0, held: copies, owned: copies, waiting: waits.size })

  const queue = await sql<{ place: number; reservationid: string }[]>`
    select place, reservationid from reservation.queue where bookid = ${bookid} order by place`
  expect(queue.map(({ place, reservationid }) => [place, reservationid])).toEqual([...waits])
  const statuses = await sql`
    select status, count(*)::int as count from reservation.reservation group by status order by status`
  expect(statuses).toEqual([
    { status: 'Canceled', count: leavers },
    { status: 'Reserved', count: copies },
    { status: 'Waiting', count: waits.size },
  ])
  const last = await reservation.get(`/reservations/${[...waits.values()].at(-1)}`)
  expect(last.body).toMatchObject({ status: 'Waiting', position: waits.size, waiting: waits.size })
  await checkConsumers(system)
}

/**
 * Replays the log.
 * @returns the reservations that wait and those that have a copy, in the order of places, and the events that served another one
 * than the first in line.
 */
function replay(log: Logged[]) {
  const waits = new Map<number, string>()
  const held = new Map<string, number>()
  const overtaken: Logged[] = []
  for (const event of log.filter(({ data }) => data.first)) {
    const { reservationid, place } = event.data
    switch (event.type) {
      case 'ReservationQueued':
        waits.set(place!, reservationid)
        break
      case 'CopyReserved': {
        const [next] = waits
        if (next?.[0] !== place || next?.[1] !== reservationid) overtaken.push(event)
        waits.delete(place!)
        held.set(reservationid, place!)
        break
      }
      case 'CopyReleased':
        if (place === undefined) held.delete(reservationid)
        else waits.delete(place)
    }
  }
  return { waits, held, overtaken }
}
