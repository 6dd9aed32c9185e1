import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { expect, inject, onTestFinished, test } from 'vitest'
import { startHistory } from './history.ts'

test('a history has the requested length, and its product works', async () => {
  const logDir = await mkdtemp(join(tmpdir(), 'bookreservation-history-'))
  onTestFinished(() => rm(logDir, { recursive: true, force: true }))
  const around = {
    databaseUrl: inject('postgresUrl'),
    redisUrl: inject('redisUrl'),
    runtime: 'node',
    logDir,
  } as const
  const product = await startHistory(around, { books: 300, reservations: 600 }, `past-${process.pid}`)
  onTestFinished(() => product.stop())
  const sql = postgres(product.databaseUrl, { max: 1, onnotice: () => {} })
  const [rows] = await sql`select
    (select count(*)::int from reservation.reservation where status = 'Reserved') as reservations,
    (select count(*)::int from stock.book where bookid ~ '^book-[12]?\\d?\\d$') as books, (select sum(held)::int from stock.book) as held,
    (select count(*)::int from reservation.reservation r join stock.hold h using (reservationid, bookid)) as holds`
  await sql.end()
  expect(rows).toEqual({ reservations: 600, books: 300, held: 600, holds: 600 })

  await product.stock(['new'])
  expect(await product.account(['new'])).toEqual({ held: 0, undecided: false })
})
