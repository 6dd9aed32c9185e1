import { expect, test } from 'vitest'
import { describeBatches } from './batches.ts'

test('only the difference is described, without processes that committed nothing', () => {
  const before = [{ name: 'stock', messages: 100, commits: 100, seconds: 9 }]
  const after = [
    { name: 'stock', messages: 1_100, commits: 140, seconds: 9.2 },
    { name: 'stock-2', messages: 0, commits: 0, seconds: 0 },
  ]
  expect(describeBatches(before, after)).toEqual(['stock 40 commits of 25.0 messages, 5.0 ms each'])
})
