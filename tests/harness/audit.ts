/** Invariants of the stores once all is quiet, whatever happened before. */
import { expect } from 'vitest'
import { topics } from '../../actors/messages.ts'
import { type ServiceName, serviceNames } from '../../platform/config.ts'
import { eventually } from '../doubles/eventually.ts'
import {
  allDecided,
  type Book,
  everyBook,
  everyReservation,
  everyStock,
  type Faces,
  type Reservation,
} from './acts.ts'
import type { System } from './system.ts'

export type Expected = {
  /** Copies received, per book. */
  received: Record<string, number>
  /** The reservations with a 201 response. */
  accepted: readonly { reservationid: string }[]
}

/** A system by its HTTP APIs and its database, whether or not the test runs its processes. */
export type Audited = Faces & Pick<System, 'sql'> & { processes: Record<ServiceName, { running: boolean }[]> }

/**
 * Waits until everything is decided and settled, then compares the stores with each other.
 *
 * @returns the reservations in their final states.
 */
export async function audit(system: Audited, { received, accepted }: Expected): Promise<Reservation[]> {
  await allDecided(system)
  await settled(system)
  const reservations = await everyReservation(system)
  checkAccepted(reservations, accepted)
  await checkCopies(system, received, reservations)
  await checkEventLog(system)
  await checkConsumers(system)
  await checkBookList(system)
  return reservations
}

/** Stock's answer to every command has reached the reservations. */
export const settled = (system: Audited): Promise<true> =>
  eventually(
    async () => {
      const [row] = await system.sql<{ open: number }[]>`
        select (select count(*) from reservation.outbox)::int
          + (select count(*) from reservation.reservation where status = 'Requested')::int as open`
      return row!.open === 0
    },
    { timeoutMs: 20_000, message: 'Some reservations remain unconfirmed' },
  )

function checkAccepted(reservations: Reservation[], accepted: Expected['accepted']): void {
  const known = new Map(reservations.map((reservation) => [reservation.reservationid, reservation]))
  expect(known.size).toBe(reservations.length)
  const lost = accepted.filter(({ reservationid }) => !known.has(reservationid))
  expect(lost, 'accepted reservations that are missing').toEqual([])
  expect(reservations.filter(({ status }) => status === 'Requested')).toEqual([])
}

/** Per book: available + held = received, and held copies are those promised to customers. */
async function checkCopies(
  system: Audited,
  received: Record<string, number>,
  reservations: Reservation[],
): Promise<void> {
  const stocks = await everyStock(system)
  const found = Object.fromEntries(stocks.map(({ bookid, qty, held }) => [bookid, qty + held]))
  expect(found).toEqual(received)
  for (const { bookid, qty, held } of stocks) {
    expect(qty).toBeGreaterThanOrEqual(0)
    const promised = reservations.filter((it) => it.bookid === bookid && it.status === 'Reserved')
    expect(promised.length, `reservations of book ${bookid}, of which ${held} copies are held`).toBe(held)
  }
  const holds = await system.sql`
    select reservationid::text from stock.hold where status = 'held' order by reservationid::text`
  const reserved = reservations.filter(({ status }) => status === 'Reserved')
  expect(holds.map((hold) => hold.reservationid)).toEqual(reserved.map((it) => it.reservationid).sort())
}

/** The log of each partition is dense, and no reservation has two different first outcomes. */
async function checkEventLog(system: Audited): Promise<void> {
  const gaps = await system.sql`
    select partition, min(seq)::int as first, max(seq)::int as last, count(*)::int as entries
    from stock.event_log group by partition having max(seq) - min(seq) + 1 <> count(*) or min(seq) <> 1`
  expect(gaps, 'partitions whose event log has gaps').toEqual([])
  const behind = await system.sql`
    select m.partition from stock.mailbox m
    where m.seq <> (select coalesce(max(seq), 0) from stock.event_log l where l.partition = m.partition)`
  expect(behind, 'partitions whose sequence is not their last event').toEqual([])
  const contradicted = await system.sql`
    select data->>'reservationid' as reservationid from stock.event_log
    where type in ('CopyReserved', 'ReservationRefused')
    group by 1 having count(distinct type) > 1`
  expect(contradicted, 'reservations with two outcomes').toEqual([])
}

/** Every running service has consumed every event, and there are no dead letters. */
export async function checkConsumers(system: Audited): Promise<void> {
  for (const consumer of topics.stockEvents.consumers satisfies readonly ServiceName[]) {
    if (!system.processes[consumer].some((process) => process.running)) continue
    await eventually(
      async () => {
        const behind = await system.sql`
          select s.partition, c.position, s.seq from stock.mailbox s
          join ${system.sql(consumer)}.mailbox c on c.partition = s.partition
          where split_part(c.position, '-', 1)::bigint <> s.seq`
        expect(behind).toEqual([])
        return true
      },
      { timeoutMs: 20_000, message: `${consumer} has not consumed every event` },
    )
  }
  for (const service of serviceNames) {
    const letters =
      await system.sql`select partition, position, reason from ${system.sql(service)}.dead_letter`
    expect(letters, `dead letters of ${service}`).toEqual([])
  }
}

/** The book list shows the stock. */
export async function checkBookList(system: Audited): Promise<void> {
  const shown = ({ bookid, qty, version }: Book) => ({ bookid, qty, version })
  const byId = (a: Book, b: Book) => (a.bookid < b.bookid ? -1 : 1)
  await eventually(
    async () => {
      const [books, stocks] = await Promise.all([everyBook(system), everyStock(system)])
      expect(books.sort(byId).map(shown)).toEqual(stocks.sort(byId).map(shown))
      return true
    },
    { message: 'The book list did not converge to the stock' },
  )
}
