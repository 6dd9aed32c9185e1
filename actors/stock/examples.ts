/** The examples of the OpenAPI document. A test checks each against its schema. */
import { selfLink } from '../../platform/http/paging.ts'

const book = { title: 'Momo', author: 'Michael Ende', isbn: '978-3-522-20255-6' }

export const receipt = { bookid: '1', qty: 3, ...book }

export const stock = { bookid: '1', ...book, qty: 3, held: 0, version: 1, _links: selfLink('/stocks/1') }

export const movement = {
  id: '5-2',
  type: 'CopyReserved' as const,
  time: '2026-11-24T02:40:10.964Z',
  data: {
    version: 2,
    available: 2,
    held: 1,
    reservationid: '01a20646-76c0-7b29-af61-e9e4b5d9e512',
    userid: 'test1',
    first: true,
  },
}

export const request = {
  bookid: '1',
  title: book.title,
  shortage: 2,
  requestedAt: '2026-11-24T03:02:00.120Z',
}

export const newPurchase = { bookid: '1', qty: 5 }

export const closingDay = {
  date: '2026-12-25',
  note: 'Christmas',
  _links: selfLink('/closing-days/2026-12-25'),
}

const purchaseid = '01a20658-1b1f-7d3c-8a51-2f6f0f5d9c11'
export const purchase = {
  purchaseid,
  ...newPurchase,
  status: 'Ordered' as const,
  orderedAt: '2026-11-24T03:10:41.007Z',
  receivedAt: null,
  _links: selfLink(`/purchases/${purchaseid}`),
}
