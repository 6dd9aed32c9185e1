/** Promise 1: a copy is never promised twice, and stock is never negative. */
import { expect, test } from 'vitest'
import { inParallel, range } from '../doubles/eventually.ts'
import {
  cancel,
  count,
  decided,
  receive,
  reserve,
  reserveAndWait,
  reserveUntilAccepted,
  stockOf,
} from '../harness/acts.ts'
import { audit } from '../harness/audit.ts'
import { sharedOut } from '../harness/owner.ts'
import { Producer } from '../harness/producer.ts'
import { useSystem } from '../harness/system.ts'

const system = useSystem({ stock: 2, reservation: 2 })
const received: Record<string, number> = {}
const accepted: { reservationid: string }[] = []

test('of 500 concurrent readers for 7 copies, exactly 7 get one, with two stock processes', async () => {
  await sharedOut(system(), 'stock')
  await receive(system(), 'seven', 7)
  const clients = [system().reservation, system().client('reservation', 1)]
  const outcomes = await inParallel(range(500), 500, (index) =>
    reserveAndWait(clients[index % 2]!, 'seven', `reader-${index}`),
  )
  expect(count(outcomes, ({ status }) => status === 'Reserved')).toBe(7)
  expect(count(outcomes, ({ status, reason }) => status === 'Failed' && reason === 'OutOfStock')).toBe(493)
  expect(await stockOf(system(), 'seven')).toMatchObject({ qty: 0, held: 7 })
  received.seven = 7
  accepted.push(...outcomes)
})

test('readers who reserve and cancel many books at random never make or lose a copy', async () => {
  const books = range(12).map((index) => `random-${index}`)
  for (const bookid of books) received[bookid] = 2
  await inParallel(books, 6, (bookid) => receive(system(), bookid, 2))
  const made = await inParallel(range(240), 24, async (index) => {
    const bookid = books[(index * 7) % books.length]!
    const reservation = await reserve(system().reservation, bookid, `reader-${index}`)
    // Some cancel before the decision, some after it, some never.
    if (index % 3 === 0) await cancelIfPossible(reservation.reservationid)
    if (index % 3 === 1) {
      const { status } = await decided(system().reservation, reservation.reservationid)
      if (status === 'Reserved') await cancel(system().reservation, reservation.reservationid)
    }
    return reservation
  })
  accepted.push(...made)
})

test('a request repeated with its Idempotency-Key takes one copy', async () => {
  received.key = 5
  await receive(system(), 'key', 5)
  const made = await inParallel(range(20), 20, (index) =>
    reserveUntilAccepted(system().client('reservation', index % 2), 'key', 'double-clicker', 'one-click'),
  )
  expect(new Set(made.map(({ reservationid }) => reservationid)).size).toBe(1)
  const answer = await system().reservation.post(
    '/reservations',
    { bookid: 'key', userid: 'another' },
    { headers: { 'idempotency-key': 'one-click' } },
  )
  expect(answer.status).toBe(422)
  await decided(system().reservation, made[0]!.reservationid)
  expect(await stockOf(system(), 'key')).toMatchObject({ qty: 4, held: 1 })
  accepted.push(made[0]!)
})

test('a command delivered three times, in one batch or in several, takes one copy', async () => {
  received.repeated = 9
  await receive(system(), 'repeated', 9)
  await using producer = new Producer(system())
  const made = await inParallel(range(3), 3, (index) =>
    reserve(system().reservation, 'repeated', `reader-${index}`),
  )
  for (const _ of range(3)) {
    await producer.send(
      ...made.map(({ reservationid, bookid, userid }) => ({
        type: 'ReserveCopy' as const,
        bookid,
        reservationid,
        userid,
      })),
    )
  }
  expect(await receive(system(), 'repeated', 0)).toMatchObject({ qty: 6, held: 3 })
  accepted.push(...made)
})

test('afterwards the available and the held copies add up to the received ones', async () => {
  await audit(system(), { received, accepted })
})

async function cancelIfPossible(reservationid: string): Promise<void> {
  const answer = await system().reservation.patch(`/reservations/${reservationid}`, { status: 'Canceled' })
  // It may have failed in the meantime; then there is nothing to cancel.
  expect([200, 409]).toContain(answer.status)
}
