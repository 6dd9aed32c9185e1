import { expect, test } from 'vitest'
import { countOvertaken } from './order.ts'

const move = (type: string, place: number) => ({ type, data: { place, first: true } })

test('a customer who is served after all with a lower place has overtaken no customer', () => {
  const movements = [
    move('CopyReserved', 1),
    move('ReservationQueued', 2),
    move('ReservationQueued', 3),
    move('ReservationQueued', 4),
    move('CopyReleased', 2),
    move('CopyReserved', 3),
    move('CopyTakenBack', 1),
    move('CopyReserved', 1),
    move('CopyReserved', 4),
  ]
  expect(countOvertaken(movements)).toBe(0)
})

test('a newcomer and a customer of the queue who are served before others have overtaken them', () => {
  const queued = [move('ReservationQueued', 1), move('ReservationQueued', 2)]
  expect(countOvertaken([...queued, move('CopyReserved', 3)])).toBe(1)
  expect(countOvertaken([...queued, move('CopyReserved', 2), move('CopyReserved', 1)])).toBe(1)
})
