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

import { printed, readers, runRestored, startApart, startOf, stopAll } from './testing.ts'

test('restoring only the reservations releases copies held for unknown reservations', async (context) => {
  const { system, names, urls } = await startApart(context)
  await using _ = system
  await receive(system, 'book', 5)
  const kept = await reserveAndWait(system.reservation, 'book', 'ann')
  const canceledLater = await reserveAndWait(system.reservation, 'book', 'eve')
  await stopAll(system)
  await using backup = await Backup.of(names.reservation)
  await startOf(system, 'reservation', 'stock')
  const undone = await inParallel(['ben', 'cem'], 2, (userid) =>
    reserveAndWait(system.reservation, 'book', userid),
  )
  await cancel(system.reservation, canceledLater.reservationid)
  await eventually(async () => (await stockOf(system, 'book')).held === 3)
  await stopAll(system)

  await backup.restore()
  const lines = await runRestored(system, urls)
  expect(lines.join('\n')).toContain('2 copies are held for unknown or canceled reservations')
  await startOf(system, ...serviceNames)
  const later = await reserveAndWait(system.reservation, 'book', 'dan')
  await eventually(async () => (await stockOf(system, 'book')).held === 2)
  expect(await stockOf(system, 'book')).toMatchObject({ qty: 3, held: 2 })
  expect(await reservationOf(system.reservation, kept.reservationid)).toMatchObject({ status: 'Reserved' })
  expect(await reservationOf(system.reservation, later.reservationid)).toMatchObject({ status: 'Reserved' })
  for (const { reservationid } of [...undone, canceledLater])
    expect(await reservationOf(system.reservation, reservationid)).toMatchObject({ status: 'Canceled' })
  // The notifier was down, and must not report successes that were undone.
  await eventually(async () => (await everyNotice(system, '&userid=dan')).some((it) => it.status === 'Sent'))
  expect(printed(system).filter((line) => /^(ben|cem) .*예약 완료/.test(line))).toEqual([])
})

test('restoring only stock decides lost reservations again, and corrects the book list', async (context) => {
  const { system, names, urls } = await startApart(context)
  await using _ = system
  await receive(system, 'book', 3)
  await eventually(async () => (await everyBook(system)).length === 1)
  await stopAll(system)
  await using backup = await Backup.of(names.stock)
  await startOf(system, ...serviceNames)
  const users = readers(4)
  const accepted = await inParallel(users.slice(0, 3), 1, (userid) =>
    reserveAndWait(system.reservation, 'book', userid),
  )
  const refused = await reserveAndWait(system.reservation, 'book', users[3]!)
  expect(refused.status).toBe('Failed')
  await receive(system, 'book', 100)
  await receive(system, 'forgotten', 7)
  await eventually(async () => (await everyBook(system)).length === 2)
  await stopAll(system)

  await backup.restore()
  const lines = await runRestored(system, urls)
  expect(lines.join('\n')).toContain('3 will be decided again')
  expect(lines.join('\n')).toContain('2 books in the book list differed from stock')
  await startOf(system, ...serviceNames)
  await allDecided(system)
  for (const { reservationid } of accepted)
    expect(await reservationOf(system.reservation, reservationid)).toMatchObject({ status: 'Reserved' })
  expect(await stockOf(system, 'book')).toMatchObject({ qty: 0, held: 3 })
  await eventually(async () => {
    const list = await everyBook(system)
    return list.length === 1 && list[0]!.qty === 0
  })
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
  const { system, names, urls } = await startApart(context)
  await using _ = system
  await receive(system, 'old', 5)
  await eventually(async () => (await everyBook(system)).length === 1)
  const kept = await reserveAndWait(system.reservation, 'old', 'ann')
  await Promise.all(system.processes.stock.map((process) => process.stop()))
  const waiting = await reserve(system.reservation, 'old', 'ben')
  await stopAll(system)
  await using backup = await Backup.of(names.reservation)
  await startOf(system, ...serviceNames)
  await allDecided(system)
  await receive(system, 'new', 7)
  await eventually(async () => (await everyBook(system)).length === 2)
  await stopAll(system)
  const stock = postgres(urls.stock, { max: 1 })
  await stock`update stock.mailbox set trimmed = seq`
  await stock`delete from stock.event_batch`
  await stock`delete from stock.event_subject`
  await stock.end()

  await backup.restore()
  await runRestored(system, urls)
  await startOf(system, ...serviceNames)
  const later = await reserveAndWait(system.reservation, 'new', 'cem')
  await allDecided(system)
  for (const { reservationid } of [kept, waiting, later])
    expect(await reservationOf(system.reservation, reservationid)).toMatchObject({ status: 'Reserved' })
  const listed = async () => (await everyBook(system)).map(({ bookid, qty }) => `${bookid} ${qty}`).join()
  await eventually(async () => (await listed()) === 'new 6,old 3')
  expect(await stockOf(system, 'old')).toMatchObject({ qty: 3, held: 2 })
})
