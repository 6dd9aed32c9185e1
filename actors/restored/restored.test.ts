/** Postgres goes back to a backup, while Redis holds what came after it. */
import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { expect, inject, onTestFinished, type TestContext, test } from 'vitest'
import { type ServiceName, serviceNames } from '../config.ts'
import { migrate } from '../migrate.ts'
import {
  allDecided,
  cancel,
  everyBook,
  everyNotice,
  everyReservation,
  receive,
  reservationOf,
  reserve,
  reserveAndWait,
  stockOf,
} from '../testing/acts.ts'
import { audit } from '../testing/audit.ts'
import { Backup } from '../testing/backup.ts'
import { eventually, inParallel, range } from '../testing/eventually.ts'
import { type System, startOwnSystem, withDatabase } from '../testing/system.ts'
import { restored } from './main.ts'

const partitions = 2
const stopAll = (system: System) => Promise.all(system.all.map((process) => process.stop()))
const startOf = (system: System, ...services: ServiceName[]) =>
  Promise.all(services.flatMap((service) => system.processes[service].map((process) => process.start())))

const urlOf = (name: string) => withDatabase(inject('postgresUrl'), name)

/** The documented command. */
async function runRestored(system: System, urls?: Record<ServiceName, string>): Promise<string[]> {
  const lines: string[] = []
  const url = urlOf(system.redisPrefix)
  await restored({
    urls: urls ?? { reservation: url, stock: url, notifier: url },
    redisUrl: system.redisUrl,
    redisPrefix: system.redisPrefix,
    partitions,
    log: (line) => lines.push(line),
  })
  return lines
}

const readers = (count: number, name = 'reader') => range(count).map((n) => `${name}-${n}`)

/** Whom the console was told of, by what. */
const told = (system: System) =>
  system.processes.notifier.flatMap((process) =>
    process.logs.filter((line) => line.msg.startsWith('#####')).map((line) => `${line.userid} ${line.msg}`),
  )

test('commands that stock had not read are undone with the reservations that sent them', async (context) => {
  await using system = await startOwnSystem(context, { partitions })
  await receive(system, 'book', 5)
  const kept = await reserveAndWait(system.reservation, 'book', 'ann')
  await eventually(() => told(system).length === 1)
  await stopAll(system)
  await using backup = await Backup.of(system.redisPrefix)
  await startOf(system, 'reservation', 'notifier')
  await inParallel(readers(24), 8, (userid) => reserve(system.reservation, 'book', userid))
  await stopAll(system)

  await backup.restore()
  await runRestored(system)
  // Stock first: nobody who knows better is there yet.
  await startOf(system, 'stock')
  await startOf(system, 'reservation', 'notifier')
  const later = await reserveAndWait(system.reservation, 'book', 'ben')

  await audit(system, { received: { book: 5 }, accepted: [kept, later] })
  expect(await stockOf(system, 'book')).toMatchObject({ qty: 3, held: 2 })
  expect((await everyReservation(system)).map((it) => it.userid).sort()).toEqual(['ann', 'ben'])
  await eventually(() => told(system).length === 2)
  expect(told(system).map((line) => line.split(' ')[0])).toEqual(['ann', 'ben'])
})

test('events that consumers had not read are undone with the stock that logged them', async (context) => {
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
  await runRestored(system)
  await startOf(system, 'reservation', 'notifier')
  // The consumers have met the old streams, and deleted them.
  await eventually(() =>
    system.processes.reservation[0]!.logs.some((line) => String(line.reason).includes('goes on from')),
  )
  await startOf(system, 'stock')
  const accepted = await Promise.all(books.map((book) => reserveAndWait(system.reservation, book, 'ann')))
  expect(accepted.map((it) => it.status)).toEqual(books.map(() => 'Reserved'))
  await audit(system, { received: Object.fromEntries(books.map((book) => [book, 1])), accepted })
})

test('while the command is forgotten nothing undone has an effect, and every service says what to run', async (context) => {
  await using system = await startOwnSystem(context, { partitions })
  await receive(system, 'book', 5)
  await stopAll(system)
  await using backup = await Backup.of(system.redisPrefix)
  await startOf(system, 'reservation', 'notifier')
  await inParallel(readers(6), 6, (userid) => reserve(system.reservation, 'book', userid))
  await stopAll(system)

  await backup.restore()
  for (const process of system.all) await process.spawn()
  for (const service of serviceNames) {
    const ready = await eventually(async () => {
      const answer = await fetch(`${system.processes[service][0]!.url}/readyz`)
      return answer.status === 503 && (await answer.text())
    })
    expect(ready).toContain('npm run restored')
  }
  expect(await stockOf(system, 'book')).toMatchObject({ qty: 5, held: 0 })
  // What is accepted now is kept, and decided once the command was run.
  const accepted = [await reserve(system.reservation, 'book', 'ann')]
  await runRestored(system)
  await audit(system, { received: { book: 5 }, accepted })
  expect(await stockOf(system, 'book')).toMatchObject({ qty: 4, held: 1 })
  expect(told(system)).toHaveLength(1)
})

test('a command that is run late takes back what was done meanwhile', async (context) => {
  await using system = await startOwnSystem(context, { partitions })
  await receive(system, 'book', 5)
  await stopAll(system)
  await using backup = await Backup.of(system.redisPrefix)
  await startOf(system, 'stock')
  await receive(system, 'book', 100)
  await stopAll(system)
  await backup.restore()
  // As if nobody had noticed: consumers have read the future, and stock has gone on from the past.
  await system.sql`update reservation.mailbox set position = '9-0', processed = 9`
  await system.sql`update reservation.book set available = 105, version = 9`
  const lines = await runRestored(system)
  expect(lines.join('\n')).toContain('2 partitions had been read beyond the end')
  await startOf(system, ...serviceNames)
  const accepted = [await reserveAndWait(system.reservation, 'book', 'ann')]
  await audit(system, { received: { book: 5 }, accepted })
})

/** Each service has a database of its own. */
async function startApart(context: TestContext) {
  const names = Object.fromEntries(
    serviceNames.map((service) => [service, `${service}-${randomBytes(5).toString('hex')}`]),
  ) as Record<ServiceName, string>
  const server = postgres(inject('postgresUrl'), { max: 1, onnotice: () => {} })
  for (const name of Object.values(names)) {
    await server`create database ${server(name)}`
    await migrate({ databaseUrl: urlOf(name), partitions })
  }
  onTestFinished(async () => {
    for (const name of Object.values(names)) await server`drop database ${server(name)} with (force)`
    await server.end()
  })
  const urls = Object.fromEntries(serviceNames.map((it) => [it, urlOf(names[it])])) as typeof names
  const system = await startOwnSystem(context, {
    partitions,
    envOf: (service) => ({ DATABASE_URL: urls[service] }),
  })
  return { system, names, urls }
}

test('of three databases only that of reservations goes back: copies held for unknown reservations are released', async (context) => {
  const { system, names, urls } = await startApart(context)
  await using _ = system
  await receive(system, 'book', 5)
  const kept = await reserveAndWait(system.reservation, 'book', 'ann')
  const regretted = await reserveAndWait(system.reservation, 'book', 'eve')
  await stopAll(system)
  await using backup = await Backup.of(names.reservation)
  await startOf(system, 'reservation', 'stock')
  const undone = await inParallel(['ben', 'cem'], 2, (userid) =>
    reserveAndWait(system.reservation, 'book', userid),
  )
  await cancel(system.reservation, regretted.reservationid)
  await eventually(async () => (await stockOf(system, 'book')).held === 3)
  await stopAll(system)

  await backup.restore()
  const lines = await runRestored(system, urls)
  expect(lines.join('\n')).toContain('2 copies are held for reservations that are unknown')
  await startOf(system, ...serviceNames)
  const later = await reserveAndWait(system.reservation, 'book', 'dan')
  await eventually(async () => (await stockOf(system, 'book')).held === 2)
  expect(await stockOf(system, 'book')).toMatchObject({ qty: 3, held: 2 })
  expect(await reservationOf(system.reservation, kept.reservationid)).toMatchObject({ status: 'Reserved' })
  expect(await reservationOf(system.reservation, later.reservationid)).toMatchObject({ status: 'Reserved' })
  for (const { reservationid } of [...undone, regretted])
    expect(await reservationOf(system.reservation, reservationid)).toMatchObject({ status: 'Canceled' })
  // The notifier was away: nobody is told of a success that is none.
  await eventually(async () => (await everyNotice(system, '&userid=dan')).some((it) => it.status === 'sent'))
  expect(told(system).filter((line) => /^(ben|cem) .*예약 완료/.test(line))).toEqual([])
})

test('of three databases only that of stock goes back: what it forgot is decided again, and the list follows it', async (context) => {
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
  expect(lines.join('\n')).toContain('2 books of the list were not as stock has them')
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

test('of three databases only that of the notifier goes back: it reports again, under the same ids, and goes on', async (context) => {
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

test('a database of reservations from before all that stock still has in its log is brought up to it', async (context) => {
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
