import { expect, test } from 'vitest'
import type { Movement, Purchase } from './apis/stock.ts'
import { openOrder, servedBy } from './receipt.ts'

const order = (purchaseid: string, qty: number, receivedAt: string | null = null): Purchase => ({
  purchaseid,
  bookid: 'momo',
  title: 'Momo',
  qty,
  status: receivedAt ? 'Received' : 'Ordered',
  orderedAt: '2026-11-01T00:00:00Z',
  receivedAt,
})

test.each([
  ['no order', [], 0, undefined],
  ['the only one', [order('a', 5)], 5, 'a'],
  ['the oldest first', [order('b', 3), order('a', 5)], 8, 'a'],
  ['the rest of one whose first copy has arrived', [order('b', 3), order('a', 5, '2026-11-02')], 7, 'a'],
  ['the next one, after its last copy', [order('b', 3), order('a', 5, '2026-11-02')], 3, 'b'],
  ['none, when all have arrived', [order('b', 3, '2026-11-03'), order('a', 5, '2026-11-02')], 0, undefined],
  ['by its status, of a book without rules', [order('b', 3), order('a', 5, '2026-11-02')], null, 'b'],
])('copies belong to %s', (_, purchases, onOrder, expected) => {
  expect(openOrder(purchases, onOrder)?.purchaseid).toBe(expected)
})

const movement = (type: string, reservationid?: string, waited?: true): Movement => ({
  id: '1-1',
  type,
  time: '2026-11-01T00:00:00Z',
  data: { available: 0, held: 0, ...(reservationid && { reservationid }), ...(waited && { waited }) },
})

test('the reservations that got copies are those after the last receipt, in their order', () => {
  const movements = [
    movement('CopyReserved', 'later'),
    movement('CopyReserved', 'third', true),
    movement('CopyReserved', 'second', true),
    movement('CopiesReceived'),
    movement('CopyReserved', 'first', true),
    movement('CopiesReceived'),
  ]
  expect(servedBy(movements, 5).map(({ reservationid }) => reservationid)).toEqual(['second', 'third'])
  expect(servedBy(movements, 1).map(({ reservationid }) => reservationid)).toEqual(['second'])
  expect(servedBy([movement('CopyReserved', 'x', true)], 1)).toEqual([])
})
