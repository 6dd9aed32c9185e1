/** The options of `npm run fuzz`, and the failures that it counts. The run itself takes minutes. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { readOptions } from './options.ts'
import { command, outcomeOf, type Report } from './schemathesis.ts'
import { answersOf, faultsOf, summaryOf } from './sum.ts'

test('the default is 20,000 cases', () => {
  expect(readOptions([], 1_234_567)).toEqual({ cases: 20_000, seed: 34_567, runtime: 'node' })
  expect(readOptions(['--cases', '300', '--seed', '7', '--runtime', 'deno'])).toEqual({
    cases: 300,
    seed: 7,
    runtime: 'deno',
  })
  expect(readOptions(['--help'])).toBeUndefined()
})

test('an invalid option is reported by its name', () => {
  expect(() => readOptions(['--cases', '0'])).toThrow('--cases must be a whole number from 1 to 10000000: 0')
  expect(() => readOptions(['--cases', 'many'])).toThrow('--cases')
  expect(() => readOptions(['--runtime', 'bun'])).toThrow('--runtime must be node or deno: bun')
  expect(() => readOptions(['--case', '1'])).toThrow('--case')
})

test('the installed Schemathesis is the one that runs', async () => {
  const [name, version] = command.split('-')
  const [requirements, installer] = await Promise.all(
    ['requirements.txt', '../../deploy/local/install/programs.mjs'].map((path) =>
      readFile(new URL(path, import.meta.url), 'utf8'),
    ),
  )
  expect(requirements).toContain(`${name}==${version} `)
  expect(installer).toContain(`commands: ['${command}']`)
})

const report: Report = {
  complete: true,
  stop_reason: 'completed',
  exit_code: 0,
  test_cases: { generated: 389 },
  failures: [],
  errors: [],
}
const serverError = { code: 'ST101', title: 'Server error', count: 2, operations: ['GET /books'] }

test.each([
  ['nothing was found', {}, []],
  [
    'a response was wrong',
    { exit_code: 1, failures: [serverError] },
    ['ST101 Server error, 2 times: GET /books'],
  ],
  ['it failed', { exit_code: 1, errors: ['why'] }, ['Schemathesis failed: "why"']],
  ['it stopped early', { complete: false, stop_reason: 'limit' }, ['Schemathesis stopped early: limit']],
  ['it exited with another code without a reason', { exit_code: 2 }, ['Schemathesis exited with 2']],
])('a report says that %s', (_, some: Partial<Report>, failures) => {
  expect(outcomeOf({ ...report, ...some })).toEqual({ cases: 389, failures })
})

test('a 5xx that a service has counted is a failure, even if Schemathesis has seen none', () => {
  const metrics = `# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="+Inf",service="stock",method="GET",route="/stocks",status="500"} 9
http_request_duration_seconds_sum{service="stock",method="GET",route="/stocks",status="500"} 9
http_request_duration_seconds_count{service="stock",method="GET",route="/stocks",status="200"} 12
http_request_duration_seconds_count{service="stock",method="POST",route="/stocks",status="200"} 3
http_request_duration_seconds_count{service="stock",method="POST",route="/stocks",status="503"} 1`
  const answers = answersOf(metrics)
  expect(answers).toEqual(
    new Map([
      [200, 15],
      [503, 1],
    ]),
  )
  const sum = { service: 'stock', cases: 16, failures: new Set<string>(), answers } as const
  expect(faultsOf(sum)).toEqual(['stock answered 1 times with 503'])
  expect(faultsOf({ ...sum, failures: new Set(['ST101']), answers: new Map() })).toEqual(['stock: ST101'])
  expect(summaryOf([sum])).toBe(
    'stock       16 cases, 0 failures; answers 200: 15, 503: 1\n16 cases, 1 failures',
  )
})
