import { expect, test } from 'vitest'
import { type Reservation, requested, statuses } from './reservation.ts'
import { isPlainReservation, newReservationSchema, reservationSchema, toBody } from './resource.ts'

const at = new Date('2026-11-24T02:40:10.944Z')
const row: Reservation = {
  ...requested({ reservationid: '01a20646-76c0-7b29-af61-e9e4b5d9e512', bookid: '1', userid: 'ann' }, at),
  place: 7,
  pickup_by: at,
  cause: 'Staff',
  note: 'damaged',
  queue: { position: 2, waiting: 3 },
}

test.each(statuses)('%s: a member that means nothing in this status is null', (status) => {
  const body = reservationSchema.parse(toBody({ ...row, status }))
  expect(body).toMatchObject({
    position: status === 'Waiting' ? 2 : null,
    waiting: status === 'Waiting' ? 3 : null,
    pickupBy: status === 'Ready' ? at.toISOString() : null,
    cause: status === 'Canceled' ? 'Staff' : null,
    note: status === 'Canceled' ? 'damaged' : null,
  })
})

test('a reservation that failed because of another one links to it', () => {
  const other = '01a20646-76c0-7b29-af61-e9e4b5d9e513'
  const failed = reservationSchema.parse(
    toBody({ ...row, status: 'Failed', reason: 'AlreadyReserved', other }),
  )
  expect(failed._links.other).toEqual({ href: `/reservations/${other}` })
})

test('a payload without `wait` is what it always was, so its key is known to every version', () => {
  const payload = { bookid: '1', userid: 'ann' }
  expect(newReservationSchema(false).parse(payload)).toEqual(payload)
})

const ids = ['1', '..', '', ' ', 'a b', 'x'.repeat(128), 'x'.repeat(129), '책', 7, null, undefined]
const objects = ids.flatMap((bookid) => ids.map((userid) => ({ bookid, userid })))

test('a plain reservation is what the schema accepts and returns as it is', () => {
  const accepted = objects.filter((it) => newReservationSchema(false).safeParse(it).success)
  expect(objects.filter(isPlainReservation)).toEqual(accepted)
  expect(accepted).toHaveLength(4)
})

test.each([
  null,
  'text',
  [],
  {},
  { bookid: '1' },
  { bookid: '1', userid: 'ann', wait: false },
  { bookid: '1', userid: 'ann', overLimit: 'yes' },
  JSON.parse('{"bookid":"1","userid":"ann","__proto__":{}}'),
])('the schema decides about %j', (value) => {
  expect(isPlainReservation(value)).toBe(false)
})
