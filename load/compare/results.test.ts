import { describe, expect, test } from 'vitest'
import type { Run } from '../bench/report.ts'
import { goalsOf } from './goals.ts'
import { describeKills } from './killed.ts'
import { readOptions } from './options.ts'
import { pictureOf } from './picture.ts'
import { type Measured, type Results, rowsOf } from './results.ts'
import { markdownOf, situationsOf, textOf } from './table.ts'

const run = (perSecond: number, cpuMicros: Run['cpuMicros'] = {}): Run => ({
  ...{ workload: '', target: '', catchUpMs: 0, cpuMicros },
  load: { sent: 1, wanted: 1, other: {}, measured: 1, perSecond, p50Ms: 2, p99Ms: 345, clientCpuMicros: 15 },
})
const measured = (
  contender: Measured['contender'],
  clients: number,
  perSecond: number,
  pattern: Measured['pattern'] = 'hot',
): Measured => ({
  ...{ contender, clients, pattern },
  run: {
    ...run(perSecond, { stock: 100, postgres: 150, client: 1_000 }),
    catchUpMs: contender === 'row-lock' ? 999 : 1_240,
  },
  residentBytes: clients * 1e6,
})

const results: Results = {
  machine: '2 cores (A & B <C>)',
  at: '2026-01-01',
  command: 'npm run compare -- --rounds 3',
  versions: { bullmq: '6.7.0' },
  launches: ['Ours: npm start, LOG_LEVEL info.'],
  goals: [],
  ...{ seconds: 10, warmupSeconds: 2, rounds: 3, books: 10_000 },
  contenders: [
    { name: 'ours-node', title: 'ours, Node', durability: 'Postgres, fsync' },
    { name: 'row-lock', title: 'row lock', durability: 'Postgres, fsync' },
  ],
  rows: rowsOf([
    ...[9_000, 8_000, 100].map((perSecond) => measured('ours-node', 256, perSecond)),
    ...[900, 1_000, 1_100].map((perSecond) => measured('row-lock', 256, perSecond)),
    measured('ours-node', 1, 400),
    measured('row-lock', 1, 1_500),
    measured('row-lock', 256, 3_000, 'even'),
  ]),
  audits: [{ right: true, line: 'row-lock: 1 sent' }],
  ...{ others: [], failures: [], complete: true },
}

test("rows are medians of their rounds, and the client's CPU is not counted", () => {
  expect(results.rows[0]).toMatchObject({
    ...{ contender: 'ours-node', pattern: 'hot', clients: 256, rounds: 3 },
    ...{ decidedPerSecond: 8_000, p50Ms: 2, p99Ms: 345, cpuSecondsPer1000: 0.25 },
    ...{ slowestPerSecond: 100, fastestPerSecond: 9_000, catchUpMs: 1_240, residentBytes: 256e6 },
  })
})

test('situations have a fixed order, with the most clients of a pattern first', () => {
  expect(situationsOf(results.rows)).toEqual([
    { pattern: 'hot', clients: 256 },
    { pattern: 'hot', clients: 1 },
    { pattern: 'even', clients: 256 },
  ])
})

test('a contender that was not measured in a situation has no line in its table', () => {
  const [hot, , even] = textOf(results).split('\n\n')
  expect(hot).toMatch(
    /^One hot book, 256 clients\n.+\n {2}ours, Node +8,000 +100 to 9,000 +2\.0 +345\.0 +0\.25 +1\.2 +256 MB/,
  )
  expect(even).toMatch(/^10,000 books, each equally often, 256 clients\n.+\n {2}row lock [^\n]+$/)
  expect(markdownOf(results)).toContain(
    '| row lock | 1,000 | 900 to 1,100 | 2.0 | 345.0 | 0.25 |  | 256 MB | Postgres, fsync |',
  )
})

test('results say how to repeat them, and have no section of faults without faults', () => {
  expect(markdownOf(results)).toMatch(
    /^# Results\n\n2 cores .+ Medians of 3 rounds of runs of 10 s, after 2 s of warm-up\.\n\n`npm run compare -- --rounds 3`, with bullmq 6\.7\.0\.\n\nOurs: npm start, LOG_LEVEL info\.\n\n## One hot book/,
  )
  expect(markdownOf(results)).toMatch(/\n## Books\n\n- right {2}row-lock: 1 sent\n$/)
})

test('wrong or incomplete results say so at the top', () => {
  const faulty = markdownOf({
    ...results,
    audits: [{ right: false, line: 'row-lock: 1 sent' }],
    failures: ['bullmq, round 1, hot: ended with 1\nits log'],
    complete: false,
  })
  expect(faulty).toMatch(/^# Results\n\n\*\*WRONG: .+\*\*\n\n\*\*incomplete: .+\*\*\n\n2 cores/)
  expect(faulty).toContain('- WRONG  row-lock: 1 sent\n')
  expect(faulty).toMatch(/## Failures\n\n- bullmq, round 1, hot: ended with 1\n {2}its log\n$/)
})

test('goals compare measured contenders at the largest number of clients', () => {
  const rows = rowsOf([
    measured('ours-node', 256, 7_000),
    measured('row-lock', 256, 1_000),
    measured('restate', 256, 400),
    measured('ours-node', 1, 10),
    measured('row-lock', 1, 1_000),
    measured('ours-deno', 256, 2_999, 'even'),
    measured('row-lock', 256, 1_000, 'even'),
  ])
  expect(goalsOf(rows).map(({ text, met }) => `${met} ${text}`)).toEqual([
    "true hot, 256 clients: ours-node 7.00x row-lock's throughput, at least 7x",
    "false hot, 256 clients: ours-node 1.00x row-lock's p99, at most 0.5x",
    "false hot, 256 clients: ours-node 17.50x restate's throughput, at least 20x",
    "false even, 256 clients: ours-deno 3.00x row-lock's throughput, at least 3x",
  ])
  expect(textOf({ ...results, goals: goalsOf(rows) })).toContain('Goals\n  met    hot, 256 clients')
})

test('losses are summed by the kind of kill, with the worst kill', () => {
  const kill = { death: 'process', acknowledged: 1_000, onlyInRedis: 30, lost: 0, soldAgain: 0 } as const
  const worse = { ...kill, death: 'machine', lost: 12, soldAgain: 11 } as const
  expect(describeKills('theirs', [kill, kill, worse, { ...worse, lost: 5 }])).toEqual([
    'theirs: Redis killed, 2 times under 64 customers: 2,000 reservations were acknowledged, 0 of them were lost (0 in the worst kill), 0 of their copies are available again; 60 were not in Postgres at the kill',
    'theirs: Redis and its machine killed, 2 times under 64 customers: 2,000 reservations were acknowledged, 17 of them were lost (12 in the worst kill), 22 of their copies are available again; 60 were not in Postgres at the kill',
  ])
})

describe('the picture', () => {
  const svg = pictureOf(results)

  test('draws the most clients of each pattern and the lone customer, with bars in proportion to the longest', () => {
    expect(svg.match(/class="head"[^>]*>[^<]+/g)?.map((head) => head.split('>')[1])).toEqual([
      'One hot book, 256 clients',
      '10,000 books, each equally often, 256 clients',
      'One hot book, one client',
    ])
    expect(widthsOf(svg)).toEqual([560, 70, 560, 560, 560])
  })

  test('shows the lone customer with equally popular books, where customers do not compete', () => {
    const rows = rowsOf(
      (['hot', 'even', 'zipf'] as const).flatMap((pattern) =>
        [1, 256].map((clients) => measured('row-lock', clients, 1_000, pattern)),
      ),
    )
    expect(pictureOf({ ...results, rows })).toContain('10,000 books, each equally often, one client')
    expect(pictureOf({ ...results, rows })).not.toContain("Zipf's law, one client")
  })

  test('shows none for a contender without an answer, and draws the others', () => {
    const answered = (
      perSecond: number,
      p50Ms: number,
      contender: Measured['contender'],
      clients: number,
    ) => {
      const it = measured(contender, clients, perSecond)
      return { ...it, run: { ...it.run, load: { ...it.run.load, p50Ms, p99Ms: p50Ms } } }
    }
    const rows = rowsOf(
      [1, 256].flatMap((clients) => [
        answered(0, Number.NaN, 'ours-node', clients),
        answered(500, 4, 'row-lock', clients),
      ]),
    )
    const silent = pictureOf({ ...results, rows })
    expect(silent).not.toMatch(/NaN|Infinity/)
    expect(silent).toContain('>0/s, p99 none<')
    expect(silent).toContain('>none<')
    expect(widthsOf(silent)).toEqual([1, 560, 1, 560])
    expect(markdownOf({ ...results, rows })).toContain('| ours, Node | 0 | 0 to 0 | none | none |')
  })

  test('draws a situation without any answer', () => {
    const rows = rowsOf([measured('ours-node', 256, 0), measured('row-lock', 256, 0)])
    expect(widthsOf(pictureOf({ ...results, rows }))).toEqual([1, 1])
  })

  test('is complete, and escapes its text', () => {
    expect(svg).toContain('<title>2 cores (A &amp; B &lt;C&gt;)</title>')
    const opened = svg.match(/<(svg|style|title|text)\b/g)?.length
    expect(svg.match(/<\/(svg|style|title|text)>/g)?.length).toBe(opened)
  })
})

function widthsOf(svg: string): number[] {
  return [...svg.matchAll(/class="bar[^"]*".* width="(\d+)"/g)].map(([, length]) => Number(length))
}

test('errors of options name the valid values', () => {
  expect(readOptions(['--clients', '16,1,16', '--targets', 'restate'])).toMatchObject({
    ...{ clients: [1, 16], contenders: ['restate'], patterns: ['hot', 'even', 'zipf'], rounds: 3 },
    out: '.data/compare',
  })
  expect(() => readOptions(['--workloads', 'cold'])).toThrow(
    '--workloads must be one of hot, even, zipf: cold',
  )
  expect(() => readOptions(['--clients', '0'])).toThrow('--clients must be a number from 1')
})
