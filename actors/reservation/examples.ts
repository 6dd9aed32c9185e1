/** The examples of the OpenAPI document. A test checks each against its schema. */
import { selfLink } from '../../platform/http/paging.ts'

const reservationid = '01a20646-76c0-7b29-af61-e9e4b5d9e512'
const self = `/reservations/${reservationid}`

export const newReservation = { bookid: '1', userid: 'test1' }

export const cancellation = { status: 'Canceled' as const }

export const reservation = {
  reservationid,
  ...newReservation,
  status: 'Reserved' as const,
  reason: null,
  position: null,
  waiting: null,
  pickupBy: null,
  cause: null,
  note: null,
  active: null,
  limit: null,
  createdAt: '2026-11-24T02:40:10.944Z',
  updatedAt: '2026-11-24T02:40:10.984Z',
  _links: { ...selfLink(self), events: { href: `${self}/events` } },
}

export const canceled = { ...reservation, ...cancellation, updatedAt: '2026-11-24T02:41:03.105Z' }

export const standing = {
  userid: newReservation.userid,
  active: [reservationid],
  limit: 3,
  block: null,
  _links: selfLink('/standings/test1'),
}

export const block = { reason: 'Three books are overdue', until: '2026-12-24T18:00:00Z' }

export const blocked = { ...standing, block: { ...block, until: '2026-12-24T18:00:00.000Z' } }

export const customerExport = {
  userid: newReservation.userid,
  exportedAt: '2026-11-24T03:00:00.000Z',
  standing,
  reservations: [reservation],
}

export const erasure = { reservations: 1, blockKept: false, eventsUntil: '2027-02-22T03:00:00.000Z' }

export const event = {
  event: 'status' as const,
  id: reservation.status,
  data: JSON.stringify(reservation),
}

export const customerEvent = { ...event, id: `${reservationid}/${reservation.status}` }

export const book = {
  bookid: '1',
  title: 'Momo',
  author: 'Michael Ende',
  isbn: '978-3-522-20255-6',
  qty: 2,
  owned: 3,
  waiting: 0,
  version: 2,
  updatedAt: '2026-11-24T02:40:10.964Z',
}
