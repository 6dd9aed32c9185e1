import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { afterEach, beforeEach, expect, inject, test } from 'vitest'
import { audit } from './audit.ts'
import { batchesOf } from './batches.ts'
import { weigh } from './bytes.ts'
import { catchUp } from './catch-up.ts'
import { startHistory } from './history.ts'
import { type Product, startProduct } from './product.ts'
import type { Surroundings } from './target.ts'
import { createWorkload } from './workloads.ts'

let around: Surroundings
const products: Product[] = []
beforeEach(async () => {
  const logDir = await mkdtemp(join(tmpdir(), 'bookreservation-reach-'))
  around = { databaseUrl: inject('postgresUrl'), redisUrl: inject('redisUrl'), runtime: 'node', logDir }
})
afterEach(async () => {
  await Promise.all(products.splice(0).map((it) => it.stop()))
  await rm(around.logDir, { recursive: true, force: true })
})

test('a past is as long as it was asked to be, and its product goes on working', async () => {
  const product = await startHistory(around, { books: 300, reservations: 600 }, `past-${process.pid}`)
  products.push(product)
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

test('what was accepted while stock was down is decided when it is back, and the books are right', async () => {
  const product = await startProduct(around, `queue-${process.pid}`)
  products.push(product)
  const workload = createWorkload('accept', { clients: 8, books: 20 })
  await product.stock(workload.books)
  const found = await catchUp(product, workload, 300, () => weigh({ ...around }))
  expect(found.accepted).toMatchObject({ asked: 300, wanted: 300, other: {} })
  expect(found.decided).toBe(300)
  expect(found.perSecond).toBeGreaterThanOrEqual(0)
  expect(await audit(product, workload.books, [found.accepted])).toMatchObject({ right: true })
})

test('workers of stock share the books, and come and go together', async () => {
  const product = await startProduct(around, `workers-${process.pid}`, 2)
  products.push(product)
  const stocks = () => product.processes.filter(({ name }) => name.startsWith('stock'))
  const owners = async () => (await batchesOf(stocks())).filter(({ commits }) => commits > 0).length
  for (let round = 0; (await owners()) < 2 && round < 50; round++)
    await product.stock(Array.from({ length: 100 }, (_, number) => `book-${round}-${number}`))
  expect(await owners()).toBe(2)

  await product.stopService('stock')
  expect(stocks()).toEqual([])
  await product.startService('stock')
  expect(stocks()).toHaveLength(2)
  await product.stock(['after'])
})
