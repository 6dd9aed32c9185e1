import { expect, test } from 'vitest'
import { count, type Report } from './report.ts'

const report = (it: Partial<Report>): Report => ({
  numPassedTests: 0,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  testResults: [],
  ...it,
})

test('passed and failed tests are counted', () => {
  expect(count(report({ numPassedTests: 5 }), 0)).toBe('5 passed, 0 failed')
  expect(count(report({ numPassedTests: 5, numFailedTests: 2 }), 1)).toBe('5 passed, 2 failed')
  expect(count(report({ numPassedTests: 5, numPendingTests: 1, numTodoTests: 2 }), 0)).toBe(
    '5 passed, 0 failed, 3 skipped',
  )
})

test('a file that could not be run counts as a failure', () => {
  const broken = { status: 'failed', assertionResults: [] }
  expect(count(report({ numPassedTests: 5, testResults: [broken] }), 1)).toBe('5 passed, 1 failed')
})

test('a failed run has at least one failure', () => {
  expect(count(report({ numPassedTests: 5 }), 1)).toBe('5 passed, 1 failed')
  expect(count(undefined, 2)).toBe('0 passed, 1 failed')
})
