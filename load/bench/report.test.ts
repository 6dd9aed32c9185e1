import { describe, expect, test } from 'vitest'
import { compare } from './audit.ts'
import { type LoadResult, notAsWanted } from './closed-loop.ts'
import { goalsOf } from './goals.ts'
import { median, othersOf, type Run } from './report.ts'

const load = (given: Partial<LoadResult> = {}): LoadResult => ({
  asked: 100,
  wanted: 100,
  other: {},
  measured: 80,
  perSecond: 1_000,
  p50Ms: 1,
  p99Ms: 2,
  clientCpuMicros: 15,
  ...given,
})
const run = (workload: Run['workload'], target: string, given: Partial<LoadResult>): Run => ({
  workload,
  target,
  load: load(given),
  cpuMicros: {},
  catchUpMs: 0,
})

describe('goals', () => {
  const peaks = { stock: 149e6, notifier: 151e6 }

  test('are held against the medians of all rounds', () => {
    const runs = [
      ...[900, 1_000, 9_000].map((perSecond) => run('hot', 'baseline', { perSecond, p99Ms: 3 })),
      ...[100, 6_000, 6_100].map((perSecond) => run('hot', 'product', { perSecond })),
      run('one', 'baseline', { p50Ms: 0.5 }),
      run('one', 'product', { p50Ms: 1.3 }),
    ]
    const met = goalsOf({ runs, runtime: 'node', peaks }).map((goal) => goal.met)
    expect(met).toEqual([true, true, false, true, false])
  })

  test('compare what is accepted with the echo, and the past with none', () => {
    const runs = [
      run('accept', 'product', { perSecond: 6_000 }),
      run('echo', 'echo', { perSecond: 10_000 }),
      run('many', 'product', { perSecond: 1_000 }),
      run('many', 'history', { perSecond: 800 }),
    ]
    const waiting = { wal: 0, tables: 0, fsyncs: 0, transactions: 0, memory: 0, log: 0, commands: 0 }
    const catchUp = { accepted: load(), decided: 100, perSecond: 10_000, firstMs: 500, waiting }
    const met = goalsOf({ runs, runtime: 'node', peaks: {}, catchUp }).map((goal) => goal.met)
    expect(met).toEqual([true, false, true])
  })

  test('are not made up for what did not run', () => {
    expect(goalsOf({ runs: [run('many', 'product', {})], runtime: 'deno', peaks: {} })).toEqual([])
  })
})

test('a median of an even number is the middle of the middle two', () => {
  expect(median([4, 1, 3, 2])).toBe(2.5)
})

test('other answers are summed by what they were', () => {
  const runs = [1, 2].map((times) => run('hot', 'product', { other: { '503': times } }))
  expect(othersOf(runs)).toEqual(['hot, product: 503, 3 times'])
})

describe('the books', () => {
  const account = (held: number, undecided = false) => ({ held, undecided })

  test('are right when every answer that said Reserved holds one copy', () => {
    expect(compare([load(), load()], account(200)).right).toBe(true)
    expect(compare([load()], account(99)).right).toBe(false)
    expect(compare([load()], account(101)).right).toBe(false)
  })

  test('are wrong while a reservation has no outcome', () => {
    expect(compare([load()], account(100, true)).right).toBe(false)
  })

  test('must hold what was accepted undecided, and may hold what was never answered', () => {
    const loads = [load({ wanted: 90, other: { [notAsWanted]: 6, unanswered: 4 } })]
    const verdicts = [95, 96, 100, 101].map((held) => compare(loads, account(held)).right)
    expect(verdicts).toEqual([false, true, true, false])
  })

  test('are wrong when a request ended in no way at all', () => {
    expect(compare([load({ wanted: 99 })], account(99)).right).toBe(false)
  })
})
