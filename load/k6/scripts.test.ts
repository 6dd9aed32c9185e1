import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, inject, test, vi } from 'vitest'
import { type Product, startProduct } from '../bench/product.ts'
import { K6StandIn } from './lib/testing.ts'
import { type ScriptName, scriptNames } from './run/options.ts'

// The services log to files, because this process cannot read a pipe while a script blocks it.
let product: Product
let logDir: string
beforeAll(async () => {
  logDir = await mkdtemp(join(tmpdir(), 'bookreservation-load-'))
  const stores = { databaseUrl: inject('postgresUrl'), redisUrl: inject('redisUrl') }
  product = await startProduct({ ...stores, runtime: 'node', logDir }, `load-${process.pid}`)
})
afterAll(async () => {
  await product?.stop()
  await rm(logDir, { recursive: true, force: true })
})

type Script = {
  options: {
    scenarios: Record<string, { executor: string; exec?: string; iterations?: number }>
    thresholds: Record<string, string[]>
  }
  setup(): unknown
  teardown(data: unknown): void
  handleSummary(data: object): Record<string, string>
  default?: (data: unknown) => void
} & Record<string, unknown>

let k6: K6StandIn
afterEach(() => {
  k6[Symbol.dispose]()
  vi.unstubAllGlobals()
  vi.resetModules()
})

async function load(name: ScriptName, env: Record<string, string> = {}): Promise<Script> {
  k6 = new K6StandIn()
  for (const [module, factory] of Object.entries(k6.modules)) vi.doMock(module, factory)
  const { urls: its, opsUrls } = product
  const urls = {
    RESERVATION_URL: its.reservation,
    STOCK_URL: its.stock,
    RESERVATION_OPS_URL: opsUrls.reservation,
    STOCK_OPS_URL: opsUrls.stock,
  }
  vi.stubGlobal('__ENV', { ...urls, ...env })
  const file = join(import.meta.dirname, `${name}.ts`)
  return (await import(/* @vite-ignore */ file)) as Script
}

/** Runs a script with a number of rounds per scenario instead of its time. */
function live(script: Script, rounds: number): void {
  const data = script.setup()
  for (const { exec, iterations } of Object.values(script.options.scenarios)) {
    const act = (exec ? script[exec] : script.default) as (data: unknown) => void
    const count = Math.min(rounds, iterations ?? rounds)
    for (k6.iteration = 0; k6.iteration < count; k6.iteration++) {
      k6.progress = k6.iteration / count
      act(data)
    }
  }
  script.teardown(data)
}

describe.each(scriptNames)('%s', (name) => {
  test('finds the books right, and no check fails', { timeout: 120_000 }, async () => {
    const script = await load(name, { SECONDS: '20' })
    live(script, 3)
    expect(k6.failedChecks).toEqual([])
    expect(k6.sum('oversold')).toBe(0)
    expect(k6.sum('forgotten')).toBe(0)
    expect(k6.sum('unaudited')).toBe(0)
    expect(k6.sum('reserved')).toBeGreaterThan(0)
  })

  test('measures its requests, and has no threshold with a wrong name', async () => {
    const script = await load(name, { SECONDS: '20' })
    const { names } = await import('./lib/system.ts')
    const measured = Object.keys(script.options.thresholds)
      .map((metric) => /\{name:([^,}]+)/.exec(metric)?.[1])
      .filter((found) => found !== undefined)
    expect(measured).toContain(names.reserve)
    expect(Object.values(names)).toEqual(expect.arrayContaining(measured))
    expect(script.options.thresholds).toMatchObject({
      oversold: ['count==0'],
      forgotten: ['count==0'],
      unaudited: ['count==0'],
    })
  })
})

test('the audit of last-copy counts a copy that was promised twice', { timeout: 60_000 }, async () => {
  const script = await load('last-copy')
  const { books } = script.setup() as { books: string[] }
  const [bookid] = books
  const reserve = (userid: string) =>
    k6.request('POST', `${product.urls.reservation}/reservations`, JSON.stringify({ bookid, userid }), {
      tags: { name: 'a reservation' },
      headers: { 'content-type': 'application/json', prefer: 'wait=5' },
    })
  for (const userid of ['ann', 'ben']) expect(reserve(userid).status).toBe(201)
  k6.secondMs = 10
  // Pretend that there was one copy: then the second reservation is one too many, and stock does not add up.
  script.teardown({ books: [bookid], copies: 1 })
  expect(k6.sum('oversold')).toBeGreaterThanOrEqual(1)
})

test('every request carries the token, if there is one', async () => {
  await load('reserve', { TOKEN: 'a-token' })
  const { names, paramsOf } = await import('./lib/system.ts')
  expect(paramsOf(names.reserve, { prefer: 'wait=5' }).headers).toMatchObject({
    authorization: 'Bearer a-token',
    prefer: 'wait=5',
  })
  vi.resetModules()
  k6[Symbol.dispose]()
  await load('reserve')
  const without = await import('./lib/system.ts')
  expect(without.paramsOf(names.reserve).headers).toEqual({ 'content-type': 'application/json' })
})

test('a book without information from the system counts as unaudited', async () => {
  const nobody = 'http://127.0.0.1:1'
  const script = await load('stress', { RESERVATION_URL: nobody, STOCK_URL: nobody })
  k6.secondMs = 10
  script.teardown({ books: ['a', 'b'], copies: 1 })
  expect(k6.sum('unaudited')).toBe(2)
})
