import { expect, test } from 'vitest'
import { answered, answerOf, answerSchema } from './answer.ts'
import { type Reservation, requested, statuses } from './reservation.ts'

const at = new Date('2026-11-24T02:40:10.944Z')
const row = requested(
  { reservationid: '01a20646-76c0-7b29-af61-e9e4b5d9e512', bookid: '1', userid: 'ann' },
  at,
)

/** As another process receives it. */
const announced = (it: Reservation) => answerSchema.parse(JSON.parse(JSON.stringify(answerOf(it))))

test.each(statuses)('a change to %s reaches the requests of other processes', (status) => {
  const changed = { ...row, status, updated_at: new Date('2026-11-24T02:41:03.105Z') }
  expect(answered(row, announced(changed))).toEqual(changed)
  const other = '01a20646-76c0-7b29-af61-000000000000'
  const more = {
    ...changed,
    reason: 'AlreadyHas',
    other,
    pickup_by: at,
    cause: 'Staff',
    note: 'damaged',
  } as const
  expect(answered(row, announced(more))).toEqual(more)
})

test('an answer of a newer version is accepted with a reason and with facts that this one does not know', () => {
  const answer = { ...announced(row), status: 'Failed', reason: 'MoonIsFull' }
  expect(answerSchema.parse({ ...answer, shelf: 'B' })).toEqual(answer)
})
