import { expect, test } from 'vitest'
import { rampOf } from './stages.ts'

test('shortened stages keep their shape, and their shares of any peak', () => {
  const stages: [number, number][] = [
    [30, 0.1],
    [60, 1],
    [10, 0],
  ]
  expect(rampOf(stages, 500)).toEqual({
    startRate: 50,
    seconds: 100,
    stages: [
      { duration: '30000ms', target: 50 },
      { duration: '60000ms', target: 500 },
      // A rate of zero would end the last second of the scenario early.
      { duration: '10000ms', target: 1 },
    ],
  })
  expect(rampOf(stages, 20, 10)).toMatchObject({
    seconds: 10,
    stages: [{ duration: '3000ms', target: 2 }, { duration: '6000ms', target: 20 }, { duration: '1000ms' }],
  })
})
