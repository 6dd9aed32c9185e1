/** The examples of the OpenAPI document. A test checks each against its schema. */
import { selfLink } from '../../platform/http/paging.ts'

const book = { title: 'Momo', author: 'Michael Ende', isbn: '978-3-522-20255-6' }

export const receipt = { bookid: '1', qty: 3, ...book }

const withoutRules = { out: null, owned: null, waiting: null, onOrder: null, rules: null, ownRules: null }
export const stock = {
  bookid: '1',
  ...book,
  qty: 3,
  held: 0,
  ...withoutRules,
  version: 1,
  _links: selfLink('/stocks/1'),
}

export const rules = { queueMax: 20, pickupDays: 5 }

export const stockWithRules = {
  ...stock,
  qty: 0,
  held: 2,
  out: 1,
  owned: 3,
  waiting: 4,
  onOrder: 0,
  rules: {
    queueMax: 20,
    queuePerCopy: 3,
    pickupDays: 5,
    pullStep: true,
    onePerBook: true,
    waitDays: 90,
    lend: true,
  },
  ownRules: rules,
  version: 12,
}

export const withdrawal = { bookid: '1', qty: 1, reason: 'Lost' as const }

export const decline = { note: 'Out of print.' }

const reservationid = '01a20646-76c0-7b29-af61-e9e4b5d9e512'
export const hold = {
  reservationid,
  bookid: '1',
  userid: 'test1',
  status: 'Ready' as const,
  reason: null,
  place: 3,
  pickupBy: '2026-11-28T09:00:00.000Z',
  _links: selfLink(`/holds/${reservationid}`),
}

export const handOver = { status: 'Collected' as const, userid: 'test1' }

export const wait = {
  reservationid,
  userid: 'test1',
  place: 7,
  since: '2026-11-24T02:40:10.964Z',
  lapsesAt: '2027-02-22T02:40:10.964Z',
}

export const task = {
  reservationid,
  bookid: '1',
  ...book,
  userid: 'test1',
  since: '2026-11-24T02:40:10.964Z',
  pickupBy: null,
}

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
  by: null,
}

export const request = {
  bookid: '1',
  ...book,
  shortage: 2,
  owned: 3,
  waiting: 4,
  onOrder: 0,
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
  title: book.title,
  status: 'Ordered' as const,
  orderedAt: '2026-11-24T03:10:41.007Z',
  receivedAt: null,
  _links: selfLink(`/purchases/${purchaseid}`),
}
