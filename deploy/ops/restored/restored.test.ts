import { expect, test } from 'vitest'
import { type ServiceName, serviceNames } from '../../../platform/config.ts'
import { eventually, inParallel, range } from '../../../tests/doubles/eventually.ts'
import {
  everyBook,
  everyReservation,
  receive,
  reserve,
  reserveAndWait,
  stockOf,
} from '../../../tests/harness/acts.ts'
import { audit } from '../../../tests/harness/audit.ts'
import { Backup } from '../../../tests/harness/backup.ts'
import { openDatabase } from '../../../tests/harness/database.ts'
import { type System, startOwnSystem } from '../../../tests/harness/system.ts'
import { reconcileHolds } from './holds.ts'

import { partitions, printed, readers, runRestored, startOf, stopAll } from './testing.ts'

/** Resolves once the processes that run report what to run. */
const reportCommand = (system: System, ...services: ServiceName[]) =>
  Promise.all(
    services.map((service) =>
      eventually(async () => {
        const answer = await fetch(`${system.processes[service][0]!.url}/readyz`)
        return answer.status === 503 && (await answer.text()).includes('npm run restored')
      }),
    ),
  )

test('commands that stock had not read have no effect until the command is run, and are undone by it together with their reservations', {
  timeout: 60_000,
}, async (context) => {
  await using system = await startOwnSystem(context, { partitions })
  await receive(system, 'book', 5)
  const kept = await reserveAndWait(system.reservation, 'book', 'ann')
  await eventually(() => printed(system).length === 1)
  await stopAll(system)
  await using backup = await Backup.of(system.redisPrefix)
  await startOf(system, 'reservation', 'notifier')
  await inParallel(readers(24), 8, (userid) => reserve(system.reservation, 'book', userid))
  await stopAll(system)

  await backup.restore()
  for (const process of system.all) await process.spawn()
  await reportCommand(system, ...serviceNames)
  expect(await stockOf(system, 'book')).toMatchObject({ qty: 4, held: 1 })
  // Reservations accepted now are kept, and decided after the command.
  const meanwhile = await reserve(system.reservation, 'book', 'cem')
  await stopAll(system)
  await runRestored(system)
  // Stock first, without the services whose data it must agree with.
  await startOf(system, 'stock')
  await startOf(system, 'reservation', 'notifier')
  const later = await reserveAndWait(system.reservation, 'book', 'ben')

  await audit(system, { received: { book: 5 }, accepted: [kept, meanwhile, later] })
  expect(await stockOf(system, 'book')).toMatchObject({ qty: 2, held: 3 })
  const customers = ['ann', 'ben', 'cem']
  expect((await everyReservation(system)).map((it) => it.userid).sort()).toEqual(customers)
  await eventually(() => printed(system).length === 3)
  expect(
    printed(system)
      .map((line) => line.split(' ')[0])
      .sort(),
  ).toEqual(customers)
})

test('events that consumers had not read are undone together with the stock that logged them, while consumers run', async (context) => {
  await using system = await startOwnSystem(context, { partitions })
  const books = range(4).map((n) => `book-${n}`)
  for (const book of books) await receive(system, book, 1)
  await eventually(async () => (await everyBook(system)).length === books.length)
  await stopAll(system)
  await using backup = await Backup.of(system.redisPrefix)
  await startOf(system, 'stock')
  for (const book of books) for (const qty of [100, 100, 100]) await receive(system, book, qty)
  await stopAll(system)

  await backup.restore()
  for (const service of ['reservation', 'notifier'] as const) await system.processes[service][0]!.spawn()
  await reportCommand(system, 'reservation', 'notifier')
  await runRestored(system)
  // The consumers found the old streams and deleted them. Either of them may have been first.
  const logs = (['reservation', 'notifier'] as const).map((it) => system.processes[it][0]!.logs)
  await eventually(() => logs.flat().some((line) => String(line.reason).includes('it continues after')))
  await startOf(system, 'stock')
  const accepted = await Promise.all(books.map((book) => reserveAndWait(system.reservation, book, 'ann')))
  expect(accepted.map((it) => it.status)).toEqual(books.map(() => 'Reserved'))
  await audit(system, { received: Object.fromEntries(books.map((book) => [book, 1])), accepted })
})

test('a command that is run late reverts what happened in between', async (context) => {
  await using system = await startOwnSystem(context, { partitions })
  await receive(system, 'book', 5)
  await stopAll(system)
  await using backup = await Backup.of(system.redisPrefix)
  await startOf(system, 'stock')
  await receive(system, 'book', 100)
  await stopAll(system)
  await backup.restore()
  // As if the restore went unnoticed: consumers are ahead of stock's restored log.
  await system.sql`update reservation.mailbox set position = '9-0', processed = 9`
  await system.sql`update reservation.book set available = 105, version = 9`
  await system.sql`
    insert into notifier.book (bookid, title, author, version) values ('book', 'Undone', '', 9)
    on conflict (bookid) do update set title = excluded.title, version = excluded.version`
  const lines = await runRestored(system)
  expect(lines.join('\n')).toContain('2 partitions were read past the end')
  expect(await system.sql`select title, version from notifier.book`).toEqual([{ title: '', version: 1 }])
  await startOf(system, ...serviceNames)
  const accepted = [await reserveAndWait(system.reservation, 'book', 'ann')]
  await audit(system, { received: { book: 5 }, accepted })
})

test('a reservation that no longer names its customer is not decided again, and names them if its hold is back', async () => {
  await using reservation = await openDatabase('reservation', partitions)
  await using stock = await openDatabase('stock', partitions)
  const [gone, back] = [crypto.randomUUID(), crypto.randomUUID()]
  await reservation.sql`
    insert into reservation (reservationid, bookid, userid, partition, status)
    values (${gone}, 'b', '', 0, 'Collected'), (${back}, 'b', '', 0, 'Returned')`
  await stock.sql`insert into hold (reservationid, bookid, userid, status) values (${back}, 'b', 'ann', 'held')`
  const databases = { reservation: reservation.sql, stock: stock.sql } as Parameters<typeof reconcileHolds>[0]
  const found = await reconcileHolds(databases, partitions, async () => {})
  expect(found).toMatchObject({ adopted: 1, reopened: 0 })
  const rows = await reservation.sql`select userid, status from reservation order by status`
  expect(rows).toEqual([
    { userid: '', status: 'Collected' },
    { userid: 'ann', status: 'Reserved' },
  ])
})
