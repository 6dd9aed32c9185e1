/** The checks can fail: they detect faulty histories. */
import { describe, expect, test } from 'vitest'
import type { StockEvent } from '../../actors/messages.ts'
import { replay } from './replay.ts'

const log = (...events: StockEvent[]) =>
  events.map((event, index) => ({ partition: 0, seq: index + 1, id: `${index}`, event }))
const book = { bookid: 'b' }
const reader = { reservationid: '00000000-0000-4000-8000-000000000001', userid: 'ann' }
const received = (qty: number, version = 1): StockEvent => ({
  type: 'CopiesReceived',
  ...book,
  version,
  available: qty,
  held: 0,
  qty,
  title: '',
  author: '',
  isbn: '',
})
const reserved: StockEvent = { type: 'CopyReserved', ...book, ...reader, version: 2, available: 0, held: 1 }
const released: StockEvent = { type: 'CopyReleased', ...book, ...reader, version: 3, available: 1, held: 0 }
const refused: StockEvent = {
  type: 'ReservationRefused',
  ...book,
  ...reader,
  version: 1,
  available: 0,
  held: 0,
  reason: 'OutOfStock',
}
const faultsOf = (...events: StockEvent[]) => {
  const { miscounted, contradicted, unjustified, releasedAgain } = replay(log(...events))
  return { miscounted, contradicted, unjustified, releasedAgain }
}
const none = { miscounted: [], contradicted: [], unjustified: [], releasedAgain: [] }

describe('a log is correct', () => {
  test('when a copy is received, reserved, answered again, released and answered again', () => {
    expect(faultsOf(received(1), reserved, reserved, released, released)).toEqual(none)
  })
  test('when the last copy is gone and the next is refused', () => {
    expect(faultsOf(received(0), refused, refused)).toEqual(none)
  })
})

test('a refused reservation may be released', () => {
  const ended: StockEvent = { ...released, version: 1, available: 0, held: 0 }
  expect(faultsOf(received(0), refused, ended, ended)).toEqual(none)
})

describe('a faulty log is detected', () => {
  test('when a copy is promised that does not exist', () => {
    const promised: StockEvent = { ...reserved, available: 0, held: 1 }
    expect(faultsOf(received(0), promised).miscounted).not.toEqual([])
  })
  test('when a hold is released again', () => {
    const again: StockEvent = { ...released, version: 4, available: 2, held: 0 }
    expect(faultsOf(received(1), reserved, released, again).releasedAgain).toHaveLength(1)
  })
  test('when a reserved reservation is refused', () => {
    const late: StockEvent = { ...refused, version: 2, held: 1 }
    expect(faultsOf(received(1), reserved, late).contradicted).toHaveLength(1)
  })
  test('when a reservation is refused although there are copies', () => {
    expect(faultsOf(received(1), { ...refused, available: 1 }).unjustified).toHaveLength(1)
  })
  test('when a refusal names the wrong reason', () => {
    expect(faultsOf(received(0), { ...refused, reason: 'UnknownBook' }).unjustified).toHaveLength(1)
  })
})
