import { expect, test, vi } from 'vitest'

vi.stubGlobal('__ENV', { RESULTS_FILE: 'results.json' })
const { summaryOf, textOf } = await import('./summary.ts')

const data = {
  state: { testRunDurationMs: 20_000 },
  metrics: {
    iterations: { type: 'counter', values: { count: 12_345, rate: 617.25 } },
    http_req_duration: {
      type: 'trend',
      contains: 'time',
      values: { med: 1, 'p(95)': 2, 'p(99)': 3, max: 4, count: 12_345 },
    },
    'http_req_duration{name:POST /reservations and wait}': {
      type: 'trend',
      contains: 'time',
      values: { med: 8.25, 'p(95)': 20, 'p(99)': 70.04, max: 90, count: 12_000 },
      thresholds: { 'p(95)<250': { ok: true }, 'p(99)<50': { ok: false } },
    },
    oversold: { type: 'counter', values: { count: 0, rate: 0 }, thresholds: { 'count==0': { ok: true } } },
    dropped_iterations: { type: 'counter', values: { count: 7, rate: 0.35 } },
  },
}

test('the summary has each request by name, dropped iterations, and crossed thresholds', () => {
  expect(textOf('reserve', data).split('\n')).toEqual([
    'reserve: 12,345 iterations in 20.0 s, 1 threshold was crossed',
    '',
    '                                 count      /s   p50 ms   p95 ms   p99 ms   max ms',
    '  POST /reservations and wait   12,000   600.0      8.3     20.0     70.0     90.0',
    '',
    '                       count    /s',
    '  dropped iterations       7   0.3',
    '  oversold                 0   0.0',
    '',
    '  thresholds                                                          found',
    '  ✓ http_req_duration{name:POST /reservations and wait}   p(95)<250      20',
    '  ✗ http_req_duration{name:POST /reservations and wait}    p(99)<50   70.04',
    '  ✓ oversold                                               count==0       0',
  ])
})

test('values other than times have their own table, and a phase follows the name', () => {
  const values = { med: 120, 'p(95)': 130, 'p(99)': 140, max: 150, count: 40 }
  const metrics = {
    'http_req_duration{name:GET /books,phase:last}': { type: 'trend', contains: 'time', values },
    'resident_mb{phase:last}': { type: 'trend', contains: 'default', values },
  }
  const tables = textOf('soak', { ...data, metrics }).split('\n\n')
  expect(tables.slice(1, 3)).toEqual([
    '                     count    /s   p50 ms   p95 ms   p99 ms   max ms\n' +
      '  GET /books, last      40   2.0    120.0    130.0    140.0    150.0',
    '                            count    /s     p50     p95     p99     max\n' +
      '  resident mb{phase:last}      40   2.0   120.0   130.0   140.0   150.0',
  ])
})

test('the same data is written as JSON to the given file', () => {
  const files = summaryOf('reserve')(data)
  expect(Object.keys(files)).toEqual(['stdout', 'results.json'])
  expect(JSON.parse(files['results.json']!)).toEqual({ script: 'reserve', ...data })
})
