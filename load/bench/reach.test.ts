import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { listProcesses } from '../../deploy/local/processes/kill-tree.ts'
import { commandLine } from '../../deploy/local/processes/orphan.ts'
import { root } from '../../deploy/local/root.ts'
import { launch } from '../../deploy/local/service.ts'
import { processNames } from '../../platform/config.ts'
import { audit } from './audit.ts'
import { batchesOf } from './batches.ts'
import { weigh } from './bytes.ts'
import { catchUp } from './catch-up.ts'
import { describeStart } from './npm-start.ts'
import { type Product, startProduct } from './product.ts'
import type { Surroundings } from './target.ts'
import { createWorkload } from './workloads.ts'

let around: Surroundings
const products: Product[] = []
beforeAll(async () => {
  const logDir = await mkdtemp(join(tmpdir(), 'bookreservation-reach-'))
  around = { databaseUrl: inject('postgresUrl'), redisUrl: inject('redisUrl'), runtime: 'node', logDir }
})
afterAll(async () => {
  await Promise.all(products.splice(0).map((it) => it.stop()))
  await rm(around.logDir, { recursive: true, force: true })
})

/** In sequence, on one product. */
describe.sequential('a product', () => {
  const name = `product-${process.pid}`
  let product: Product

  test('runs all processes of npm start, with its flags and its starter', async () => {
    product = await startProduct(around, name, { stockWorkers: 2 })
    products.push(product)
    const names = product.processes.map((it) => it.name)
    expect(names).toEqual(['starter', ...processNames, 'starter-2', 'stock-2'])
    const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
    expect(scripts.start).toMatch(/ deploy\/local\/start\.ts$/)
    const commands = await Promise.all(listProcesses().map(({ pid }) => commandLine(pid)))
    const { command, args } = launch({ runtime: 'node', service: 'reservation', settings: {} })
    const found = commands.map((it) => it.trim())
    expect(found).toContain([command, ...args].join(' '))
    expect(found).toContain(`${process.execPath} ${join(root, 'deploy/local/start.ts')}`)
  }, 60_000)

  test('runs two workers of stock, which share the books', async () => {
    const stocks = product.processes.filter((it) => it.name.startsWith('stock'))
    const owners = async () => (await batchesOf(stocks)).filter(({ commits }) => commits > 0).length
    for (let round = 0; (await owners()) < 2 && round < 50; round++)
      await product.stock(Array.from({ length: 100 }, (_, number) => `book-${round}-${number}`))
    expect(await owners()).toBe(2)
  })

  test('decides the backlog when stock is back, and the books are right', async () => {
    const workload = createWorkload('accept', { clients: 8, books: 20 })
    await product.stock(workload.books)
    const found = await catchUp(product, workload, 300, () => weigh({ ...around }))
    expect(found.accepted).toMatchObject({ sent: 300, wanted: 300, other: {} })
    expect(found.decided).toBe(300)
    expect(found.perSecond).toBeGreaterThanOrEqual(0)
    expect(await audit(product, workload.books, [found.accepted])).toMatchObject({ right: true })
    expect(product.processes.filter((it) => it.name.startsWith('stock'))).toHaveLength(2)
  }, 60_000)

  test('logs at the default level, through its starter', async () => {
    await product.stop()
    expect(await readFile(join(around.logDir, `${name}-2.log`), 'utf8')).toMatch(
      /^stock .*INFO: (CopiesReceived|CopyReserved) /m,
    )
  })
})

test('results name the flags, the log level, and the settings in the environment without their values', () => {
  expect(describeStart('node', { LOG_LEVEL: 'warn', SMTP_URL: 'smtp://secret@host' })).toMatch(
    / on node --max-old-space-size=\d+ .*, LOG_LEVEL warn, .*; from the environment: SMTP_URL$/,
  )
  expect(describeStart('deno', {})).toMatch(/ on deno run .*, LOG_LEVEL info, .* the ports$/)
})
