/** Promise 3: a canceled reservation gives back exactly one copy, exactly once, and only if it held one. */
import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { eventually, inParallel, range } from '../doubles/eventually.ts'
import { cancel, receive, reservationOf, reserve, reserveAndWait, stockOf } from '../harness/acts.ts'
import { audit } from '../harness/audit.ts'
import { Producer } from '../harness/producer.ts'
import { useSystem } from '../harness/system.ts'

const system = useSystem({ stock: 2, reservation: 2, notifier: 0 })
const received: Record<string, number> = {}
const receiveNew = async (bookid: string, qty: number) => {
  received[bookid] = qty
  await receive(system(), bookid, qty)
}
/** The book after all earlier commands are decided: a receipt of zero copies queues behind them. */
const settledStock = (bookid: string) => receive(system(), bookid, 0)

test('a copy comes back once, however often and on however many replicas its reservation is canceled', async () => {
  await receiveNew('once', 3)
  const { reservationid } = await reserveAndWait(system().reservation, 'once', 'ann')
  const replicas = [system().reservation, system().client('reservation', 1)]
  const answers = await inParallel(range(20), 20, (index) => cancel(replicas[index % 2]!, reservationid))
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set(['Canceled']))
  await eventually(async () => (await stockOf(system(), 'once')).held === 0)
  expect(await settledStock('once')).toMatchObject({ qty: 3, held: 0 })
})

test('a copy that came back can be reserved by the next reader', async () => {
  await receiveNew('next', 1)
  const first = await reserveAndWait(system().reservation, 'next', 'ann')
  await cancel(system().reservation, first.reservationid)
  const second = await reserveAndWait(system().reservation, 'next', 'ben')
  expect(second.status).toBe('Reserved')
})

test('a failed reservation has nothing to give back', async () => {
  await receiveNew('failed', 0)
  const { reservationid, status } = await reserveAndWait(system().reservation, 'failed', 'ann')
  expect(status).toBe('Failed')
  const answer = await system().reservation.patch(`/reservations/${reservationid}`, { status: 'Canceled' })
  expect(answer.status).toBe(409)
  expect(await settledStock('failed')).toMatchObject({ qty: 0, held: 0 })
  expect((await reservationOf(system().reservation, reservationid)).status).toBe('Failed')
})

test('a cancellation before the decision leaves every copy where it is', async () => {
  await receiveNew('early', 4)
  const made = await inParallel(range(30), 30, async (index) => {
    const { reservationid } = await reserve(system().reservation, 'early', `reader-${index}`)
    const answer = await system().reservation.patch<{ status: string }>(`/reservations/${reservationid}`, {
      status: 'Canceled',
    })
    return answer.status
  })
  expect(made.every((status) => status === 200 || status === 409)).toBe(true)
  await eventually(async () => (await stockOf(system(), 'early')).held === 0)
  expect(await settledStock('early')).toMatchObject({ qty: 4, held: 0 })
})

test('a release that overtakes its reserve gives nothing back, and the late reserve takes nothing', async () => {
  await receiveNew('overtaken', 2)
  await using producer = new Producer(system())
  const it = { bookid: 'overtaken', reservationid: randomUUID(), userid: 'ann' }
  await producer.send(
    { type: 'ReleaseCopy', ...it },
    { type: 'ReserveCopy', ...it },
    { type: 'ReleaseCopy', ...it },
  )
  expect(await settledStock('overtaken')).toMatchObject({ qty: 2, held: 0 })
})

test('a release delivered many times gives one copy back', async () => {
  await receiveNew('released', 2)
  await using producer = new Producer(system())
  const { reservationid, userid, bookid } = await reserveAndWait(system().reservation, 'released', 'ann')
  await cancel(system().reservation, reservationid)
  await producer.send(
    ...range(5).map(() => ({ type: 'ReleaseCopy' as const, bookid, reservationid, userid })),
  )
  expect(await settledStock('released')).toMatchObject({ qty: 2, held: 0 })
})

test('afterwards the books are in order', async () => {
  await audit(system(), { received, accepted: [] })
})
