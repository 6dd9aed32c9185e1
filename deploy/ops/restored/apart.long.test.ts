import postgres from 'postgres'
import { expect, test } from 'vitest'
import { serviceNames } from '../../../platform/config.ts'
import { eventually, inParallel } from '../../../tests/doubles/eventually.ts'
import {
  allDecided,
  cancel,
  everyBook,
  everyNotice,
  receive,
  reservationOf,
  reserve,
  reserveAndWait,
  stockOf,
} from '../../../tests/harness/acts.ts'
import { Backup } from '../../../tests/harness/backup.ts'
import type { System } from '../../../tests/harness/system.ts'

import { printed, readers, runRestored, startApart, startOf, stopAll } from './testing.ts'

/** Copies of a book with a queue, a hold shelf and returns, without a limit of time. */
async function receiveWithRules(system: System, bookid: string, qty: number): Promise<void> {
  await receive(system, bookid, qty)
  const rules = { queueMax: 10, pullStep: true, lend: true, pickupDays: 3 }
  expect((await system.stock.put(`/stocks/${bookid}/rules`, rules)).status).toBe(200)
}

type Step = 'Ready' | 'Collected' | 'Returned'
const desk = async (system: System, { reservationid }: { reservationid: string }, ...steps: Step[]) => {
  for (const status of steps)
    expect((await system.stock.patch(`/holds/${reservationid}`, { status })).body).toMatchObject({ status })
}

/** Waits until a reservation is as expected. */
const becomes = (system: System, { reservationid }: { reservationid: string }, expected: object) =>
  eventually(async () => {
    expect(await reservationOf(system.reservation, reservationid)).toMatchObject(expected)
    return true
  })

const inQueue = async (urls: Record<'stock' | 'reservation', string>, bookid: string) => {
  const [stock, reservation] = [postgres(urls.stock, { max: 1 }), postgres(urls.reservation, { max: 1 })]
  const claimed = await stock`
    select place::int, reservationid from stock.claim where kind = 'waiting' and bookid = ${bookid} order by place`
  const queued = await reservation`
    select place::int, reservationid from reservation.queue where bookid = ${bookid} order by place`
  await Promise.all([stock.end(), reservation.end()])
  return { claimed: [...claimed], queued: [...queued] }
}

test('restoring only the reservations releases copies held for unknown reservations', async (context) => {
  const { system, names, urls } = await startApart(context)
  await using _ = system
  await receive(system, 'book', 5)
  await receiveWithRules(system, 'lent', 1)
  const kept = await reserveAndWait(system.reservation, 'book', 'ann')
  const canceledLater = await reserveAndWait(system.reservation, 'book', 'eve')
  await stopAll(system)
  await using backup = await Backup.of(names.reservation)
  await startOf(system, 'reservation', 'stock')
  const undone = await inParallel(['ben', 'cem'], 2, (userid) =>
    reserveAndWait(system.reservation, 'book', userid),
  )
  const ready = await reserveAndWait(system.reservation, 'lent', 'fay')
  await desk(system, ready, 'Ready')
  await cancel(system.reservation, canceledLater.reservationid)
  await eventually(async () => (await stockOf(system, 'book')).held === 3)
  await stopAll(system)

  await backup.restore()
  const lines = await runRestored(system, urls)
  expect(lines.join('\n')).toContain('3 holds are of unknown or canceled reservations')
  await startOf(system, ...serviceNames)
  const later = await reserveAndWait(system.reservation, 'book', 'dan')
  await eventually(async () => (await stockOf(system, 'book')).held === 2)
  expect(await stockOf(system, 'book')).toMatchObject({ qty: 3, held: 2 })
  expect(await reservationOf(system.reservation, kept.reservationid)).toMatchObject({ status: 'Reserved' })
  expect(await reservationOf(system.reservation, later.reservationid)).toMatchObject({ status: 'Reserved' })
  for (const { reservationid } of [...undone, ready, canceledLater])
    expect(await reservationOf(system.reservation, reservationid)).toMatchObject({ status: 'Canceled' })
  // The notifier was down, and must not report successes that were undone.
  await eventually(async () => (await everyNotice(system, '&userid=dan')).some((it) => it.status === 'Sent'))
  expect(printed(system).filter((line) => /^(ben|cem) .*예약 완료/.test(line))).toEqual([])
  const notices = (await everyNotice(system, '&userid=fay')).filter(({ kind }) => kind !== 'cancelled')
  expect(new Set(notices.map((it) => `${it.kind} ${it.status}`))).toEqual(
    new Set(['queued', 'reserved', 'ready', 'reminder'].map((kind) => `${kind} Suppressed`)),
  )
})

test('restoring only stock decides lost reservations again, and corrects the book list', async (context) => {
  const { system, names, urls } = await startApart(context)
  await using _ = system
  await receive(system, 'book', 3)
  await receiveWithRules(system, 'lent', 1)
  const lent = (userid: string) => reserveAndWait(system.reservation, 'lent', userid)
  const [back, next, quits] = [await lent('ann'), await lent('ben'), await lent('fay')]
  await eventually(async () => (await everyBook(system)).length === 2)
  await stopAll(system)
  await using backup = await Backup.of(names.stock)
  await startOf(system, ...serviceNames)
  await desk(system, back, 'Ready', 'Collected', 'Returned')
  await becomes(system, next, { status: 'Reserved' })
  await cancel(system.reservation, quits.reservationid)
  const [gone, third, fourth] = [await lent('cem'), await lent('dan'), await lent('eve')]
  await cancel(system.reservation, gone.reservationid)
  await becomes(system, fourth, { position: 2, waiting: 2 })
  const users = readers(4)
  const accepted = await inParallel(users.slice(0, 3), 1, (userid) =>
    reserveAndWait(system.reservation, 'book', userid),
  )
  const refused = await reserveAndWait(system.reservation, 'book', users[3]!)
  expect(refused.status).toBe('Failed')
  await receive(system, 'book', 100)
  await receive(system, 'forgotten', 7)
  await eventually(async () => (await everyBook(system)).length === 3)
  await stopAll(system)

  await backup.restore()
  const lines = await runRestored(system, urls)
  expect(lines.join('\n')).toContain('1 holds are of unknown or canceled reservations')
  expect(lines.join('\n')).toContain("2 reservations were set to stock's decision; 5 will be decided again")
  expect(lines.join('\n')).toContain('3 books in the book list differed from stock')
  await startOf(system, ...serviceNames)
  await allDecided(system)
  for (const { reservationid } of accepted)
    expect(await reservationOf(system.reservation, reservationid)).toMatchObject({ status: 'Reserved' })
  expect(await stockOf(system, 'book')).toMatchObject({ qty: 0, held: 3 })
  await eventually(async () => {
    const list = await everyBook(system)
    return list.map(({ bookid, qty }) => `${bookid} ${qty}`).join() === 'book 0,lent 0'
  })
  await becomes(system, back, { status: 'Reserved' })
  await becomes(system, next, { status: 'Waiting', position: 1, waiting: 3 })
  // Their places are given again.
  await becomes(system, third, { status: 'Waiting', position: 2 })
  await becomes(system, fourth, { status: 'Waiting', position: 3 })
  const { claimed, queued } = await inQueue(urls, 'lent')
  expect(claimed.map((it) => it.place)).toEqual([2, 4, 5])
  expect(queued).toEqual(claimed)
  await desk(system, back, 'Ready', 'Collected', 'Returned')
  await becomes(system, next, { status: 'Reserved' })
})

test('restoring only the notifier repeats its notices under the same ids', async (context) => {
  const { system, names, urls } = await startApart(context)
  await using _ = system
  await receive(system, 'book', 5)
  await stopAll(system)
  await using backup = await Backup.of(names.notifier)
  await startOf(system, ...serviceNames)
  await reserveAndWait(system.reservation, 'book', 'ann')
  const ids = async () => (await everyNotice(system)).map((it) => it.noticeid).sort()
  const before = await eventually(async () => {
    const found = await ids()
    return found.length > 0 && found
  })
  await stopAll(system)

  await backup.restore()
  await runRestored(system, urls)
  await startOf(system, ...serviceNames)
  await eventually(async () => (await ids()).length === before.length)
  expect(await ids()).toEqual(before)
})

test('reservations restored to before the start of stock’s log catch up with stock', async (context) => {
  const { system, names, urls } = await startApart(context, { ACTIVE_MAX: '3' })
  await using _ = system
  await receive(system, 'old', 5)
  await receiveWithRules(system, 'lent', 4)
  const lent = (userid: string) => reserveAndWait(system.reservation, 'lent', userid)
  const [home, taken, failed, shelf] = [
    await lent('l1'),
    await lent('l2'),
    await lent('l3'),
    await lent('l4'),
  ]
  const [first, leaves] = [await lent('l5'), await lent('l6')]
  const late = await lent('l7')
  await desk(system, failed, 'Ready')
  await becomes(system, failed, { status: 'Ready' })
  await eventually(async () => (await everyBook(system)).length === 2)
  const kept = await reserveAndWait(system.reservation, 'old', 'ann')
  await Promise.all(system.processes.stock.map((process) => process.stop()))
  const waiting = await reserve(system.reservation, 'old', 'ben')
  await stopAll(system)
  await using backup = await Backup.of(names.reservation)
  await startOf(system, ...serviceNames)
  await allDecided(system)
  await receive(system, 'new', 7)
  await desk(system, home, 'Ready', 'Collected', 'Returned')
  await desk(system, taken, 'Ready', 'Collected')
  await desk(system, shelf, 'Ready')
  await becomes(system, first, { status: 'Reserved' })
  await cancel(system.reservation, leaves.reservationid)
  const lost = { status: 'Waiting', cause: 'Lost' }
  expect((await system.stock.patch(`/holds/${failed.reservationid}`, lost)).status).toBe(200)
  await becomes(system, failed, { status: 'Waiting', position: 1, waiting: 2 })
  const unknown = await lent('l8')
  await receiveWithRules(system, 'unknown', 1)
  const handed = await reserveAndWait(system.reservation, 'unknown', 'm1')
  await desk(system, handed, 'Ready', 'Collected')
  await becomes(system, handed, { status: 'Collected' })
  await becomes(system, shelf, { status: 'Ready' })
  await eventually(async () => (await everyBook(system)).length === 4)
  const { pickupBy } = (
    await system.reservation.get<Record<string, unknown>>(`/reservations/${shelf.reservationid}`)
  ).body
  await stopAll(system)
  const stock = postgres(urls.stock, { max: 1 })
  await stock`update stock.mailbox set trimmed = seq`
  await stock`delete from stock.event_batch`
  await stock`delete from stock.event_subject`
  await stock.end()

  await backup.restore()
  // As if its customer had canceled it shortly before the backup, when the copy was handed over.
  const reservations = postgres(urls.reservation, { max: 1 })
  await reservations`
    update reservation.reservation set status = 'Canceled' where reservationid = ${taken.reservationid}`
  await runRestored(system, urls)
  const standings =
    await reservations`select userid from reservation.standing where active <> '{}' order by userid`
  expect(standings.map((it) => it.userid)).toEqual(['ann', 'ben', 'l3', 'l4', 'l5', 'l7'])
  await reservations.end()
  await startOf(system, ...serviceNames)
  const later = await reserveAndWait(system.reservation, 'new', 'cem')
  await allDecided(system)
  for (const { reservationid } of [kept, waiting, later])
    expect(await reservationOf(system.reservation, reservationid)).toMatchObject({ status: 'Reserved' })
  const listed = async () => (await everyBook(system)).map(({ bookid, qty }) => `${bookid} ${qty}`).join()
  await eventually(async () => (await listed()) === 'lent 0,new 6,old 3,unknown 0')
  await becomes(system, home, { status: 'Returned' })
  await becomes(system, taken, { status: 'Collected' })
  await becomes(system, shelf, { status: 'Ready', pickupBy })
  await becomes(system, first, { status: 'Reserved' })
  await becomes(system, leaves, { status: 'Canceled' })
  await becomes(system, unknown, { status: 'Canceled' })
  await becomes(system, failed, { status: 'Waiting', position: 1, waiting: 2 })
  await becomes(system, late, { status: 'Waiting', position: 2, waiting: 2 })
  await eventually(async () => {
    const { claimed, queued } = await inQueue(urls, 'lent')
    expect(claimed.map((it) => it.reservationid)).toEqual([failed.reservationid, late.reservationid])
    expect(queued).toEqual(claimed)
    return true
  })
  await desk(system, handed, 'Returned')
  await becomes(system, handed, { status: 'Returned' })
  expect(await stockOf(system, 'old')).toMatchObject({ qty: 3, held: 2 })
})
