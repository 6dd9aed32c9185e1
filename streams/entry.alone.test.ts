import { expect, test } from 'vitest'
import { entriesOf, type Row } from './entry.ts'
import { toFields } from './envelope.ts'

test('splitting an entry of events costs little more than parsing its text', () => {
  const event = {
    id: '7/1764364364364-1/0',
    type: 'CopyReserved',
    subject: 'b',
    data: { bookid: 'b', held: 1 },
  }
  const row: Row = ['100-0', toFields(Array(100).fill(event))]
  const parsing = () => JSON.parse(row[1][1]!)
  const takingApart = () => entriesOf([row], '0-0', true)
  const ratios = Array.from({ length: 11 }, () => usOf(takingApart) / usOf(parsing)).sort((a, b) => a - b)
  expect(ratios[5]).toBeLessThan(1.7)
})

/** CPU time of this process, microseconds. */
function usOf(act: () => unknown): number {
  const before = process.cpuUsage()
  for (let i = 0; i < 500; i++) act()
  const { user, system } = process.cpuUsage(before)
  return user + system
}
