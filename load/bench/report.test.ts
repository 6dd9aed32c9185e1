import { describe, expect, test } from 'vitest'
import { compare } from './audit.ts'
import { agreementOf, leadsOf } from './check-client.ts'
import { type LoadResult, otherStatus } from './closed-loop.ts'
import { goalsOf } from './goals.ts'
import { median, othersOf, type Run } from './report.ts'

const load = (given: Partial<LoadResult> = {}): LoadResult => ({
  sent: 100,
  wanted: 100,
  other: {},
  measured: 80,
  perSecond: 1_000,
  p50Ms: 1,
  p99Ms: 2,
  clientCpuMicros: 15,
  ...given,
})
const run = (
  workload: Run['workload'],
  target: string,
  given: Partial<LoadResult>,
  cpuMicros: Run['cpuMicros'] = {},
): Run => ({ workload, target, load: load(given), cpuMicros, catchUpMs: 0 })

describe('goals', () => {
  const peaks = { stock: 199e6, notifier: 201e6 }
  const missed = (found: Parameters<typeof goalsOf>[0]) =>
    goalsOf(found)
      .filter((goal) => !goal.met)
      .map((goal) => goal.text)

  test('use the medians of all rounds', () => {
    const runs = [
      ...[900, 1_000, 9_000].map((perSecond) => run('hot', 'baseline', { perSecond, p99Ms: 4 })),
      ...[100, 7_000, 7_100].map((perSecond) => run('hot', 'product', { perSecond }, { stock: 190 })),
      run('one', 'baseline', { p50Ms: 0.5 }),
      run('one', 'product', { p50Ms: 1.7 }),
    ]
    expect(goalsOf({ runs, runtime: 'node', peaks })).toHaveLength(6)
    expect(missed({ runs, runtime: 'node', peaks })).toEqual([
      "one: the row lock's median latency 3.40x, at most 3.3x",
      'notifier: 201 MB peak memory, below 200 MB',
    ])
  })

  test('compare accepting with the echo, and a history with none', () => {
    const runs = [
      run('accept', 'product', { perSecond: 4_200 }),
      run('echo', 'echo', { perSecond: 10_000 }),
      run('many', 'product', { perSecond: 1_000 }, { stock: 100 }),
      run('many', 'history', { perSecond: 800 }),
    ]
    const waiting = { wal: 0, tables: 0, fsyncs: 0, transactions: 0, memory: 0, log: 0, commands: 0 }
    const catchUp = { accepted: load(), decided: 100, perSecond: 15_000, firstMs: 500, waiting }
    const found = { runs, runtime: 'node', peaks: {}, catchUp, idle: 0.05 } as const
    expect(goalsOf(found)).toHaveLength(5)
    expect(missed(found)).toEqual([
      'many: the throughput without past reservations 0.80x, at least 0.85x',
      'idle: 5.0 % of a core, product and stores, below 4.0 %',
    ])
  })

  test('limit the CPU of all processes except the client, absolutely and relative to another version', () => {
    const runs = [
      run('hot', 'product', {}, { starter: 20, reservation: 100, postgres: 80, client: 1_000 }),
      run('hot', 'before', {}, { reservation: 200, postgres: 100, client: 10 }),
      run('many', 'product', {}, { reservation: 230 }),
    ]
    expect(goalsOf({ runs, runtime: 'node', peaks: {} }).map(({ text, met }) => `${met} ${text}`)).toEqual([
      'false hot: CPU of one reservation 200 µs, at most 190 µs',
      "false hot: the earlier version's CPU 0.67x, at most 0.65x",
      'true many: CPU of one reservation 230 µs, at most 230 µs',
    ])
  })

  test('are left out for measurements that did not run', () => {
    expect(goalsOf({ runs: [run('one', 'product', {})], runtime: 'deno', peaks: {} })).toEqual([])
  })
})

describe('two clients', () => {
  const by = (client: string, product: number) => [
    ...[1, 1_000, 1_001].map((perSecond) => run('hot', `baseline by ${client}`, { perSecond })),
    run('hot', `product by ${client}`, { perSecond: product }),
  ]

  test('agree when their medians of the product are no more than 15 % apart', () => {
    const met = (ours: number) => agreementOf([...by('ours', ours), ...by('wrk', 1_000)]).met
    expect([849, 851, 1_149, 1_151].map(met)).toEqual([false, true, true, false])
  })

  test('each compare the product with the row lock', () => {
    expect(leadsOf([...by('ours', 6_500), ...by('wrk', 7_300)])).toEqual([
      "by ours: the row lock's throughput 6.50x",
      "by wrk: the row lock's throughput 7.30x",
    ])
  })
})

test('a median of an even number is the middle of the middle two', () => {
  expect(median([4, 1, 3, 2])).toBe(2.5)
})

test('other answers are summed by kind', () => {
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

  test('must hold a copy for accepted requests, and may hold one for unanswered requests', () => {
    const loads = [load({ wanted: 90, other: { [otherStatus]: 6, unanswered: 4 } })]
    const verdicts = [95, 96, 100, 101].map((held) => compare(loads, account(held)).right)
    expect(verdicts).toEqual([false, true, true, false])
  })

  test('are wrong when a request has no result', () => {
    expect(compare([load({ wanted: 99 })], account(99)).right).toBe(false)
  })
})
