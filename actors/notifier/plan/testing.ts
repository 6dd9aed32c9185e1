/** Stock's events about one reservation and one book, and the channels over which their notices go. */
import { randomUUID } from 'node:crypto'
import type { StockEvent } from '../../messages.ts'
import type { ChannelName } from '../channels/all.ts'
import type { Party, Routing } from './routing.ts'

const absent: Party = { email: null, webhook: null, phone: null, channels: [] }
/** @param configured the channels that are open, besides the console. */
export const route = (configured: ChannelName[], some: Partial<Routing> = {}): Routing => ({
  configured: new Set(configured),
  customers: { channels: ['kakao', 'email', 'webhook', 'sms'], byKind: {} },
  purchaser: absent,
  operator: absent,
  locale: 'ko',
  timeZone: 'Asia/Seoul',
  ...some,
})
/** The console, and the webhooks of customers who have one. */
export const nobody = route(['webhook'])
/** One notice per event in the queue, besides the one on the console. */
export const chat = route(['webhook', 'chat'])
export const everybody = route(['email', 'webhook', 'sms', 'kakao', 'slack', 'chat'], {
  purchaser: { ...absent, email: 'purchaser@shop.example', channels: ['email', 'slack'] },
  operator: {
    ...absent,
    email: 'op@shop.example',
    phone: '+821012345678',
    channels: ['sms', 'email', 'slack'],
  },
})

/** By default: reservations of `test1` for the book `1`, of no particular version. */
const after = { bookid: '1', version: 1, available: 0, held: 1 }
type Answer = { reservationid: string; userid?: string; bookid?: string; first?: true }

export const reserved = (answer: Answer): StockEvent => ({
  type: 'CopyReserved',
  ...after,
  userid: 'test1',
  ...answer,
})
export const released = (answer: Answer): StockEvent => ({
  type: 'CopyReleased',
  ...after,
  userid: 'test1',
  ...answer,
})
export const refused = (answer: Answer): StockEvent => ({
  type: 'ReservationRefused',
  ...after,
  userid: 'test1',
  reason: 'OutOfStock',
  ...answer,
})
export const purchaseRequested = (shortage = 1, bookid = after.bookid, waiting?: number): StockEvent => ({
  type: 'PurchaseRequested',
  ...after,
  bookid,
  shortage,
  ...(waiting === undefined ? {} : { waiting }),
})

/** 18:00 on Monday in Seoul. */
export const monday = '2026-11-30T09:00:00.000Z'
/** Builders of the events of a reservation of a book with a queue and a hold shelf. */
export const queue = {
  queued: (answer: Answer, position = 3): StockEvent => ({
    type: 'ReservationQueued',
    ...after,
    userid: 'test1',
    place: 7,
    position,
    ...answer,
  }),
  served: (answer: Answer, turn?: number): StockEvent => ({
    type: 'CopyReserved',
    ...after,
    userid: 'test1',
    place: 7,
    waited: true,
    ...(turn && { turn }),
    ...answer,
  }),
  shelved: (answer: Answer, pickupBy: string | null = monday, turn?: number): StockEvent => ({
    type: 'CopyShelved',
    ...after,
    userid: 'test1',
    pickupBy,
    ...(turn && { turn }),
    ...answer,
  }),
  extended: (answer: Answer, pickupBy: string, turn?: number): StockEvent => ({
    type: 'PickupExtended',
    ...after,
    userid: 'test1',
    pickupBy,
    ...(turn && { turn }),
    ...answer,
  }),
  handedOver: (answer: Answer): StockEvent => ({
    type: 'CopyHandedOver',
    ...after,
    userid: 'test1',
    ...answer,
  }),
  returned: (answer: Answer): StockEvent => ({ type: 'CopyReturned', ...after, userid: 'test1', ...answer }),
  expired: (answer: Answer): StockEvent => ({ type: 'HoldExpired', ...after, userid: 'test1', ...answer }),
  takenBack: (answer: Answer, turn = 2): StockEvent => ({
    type: 'CopyTakenBack',
    ...after,
    userid: 'test1',
    place: 7,
    cause: 'Lost',
    turn,
    ...answer,
  }),
  lapsed: (answer: Answer): StockEvent => ({
    type: 'ReservationRefused',
    ...after,
    userid: 'test1',
    reason: 'WaitLapsed',
    place: 7,
    ...answer,
  }),
  canceled: (answer: Answer): StockEvent => ({
    type: 'CopyReleased',
    ...after,
    userid: 'test1',
    cause: 'Staff',
    note: 'We move.',
    ...answer,
  }),
}

export const declined = (bookid = after.bookid): StockEvent => ({
  type: 'PurchaseDeclined',
  ...after,
  bookid,
})

export const received = (
  title: string,
  { author = '', bookid = after.bookid, version = after.version } = {},
): StockEvent => ({
  type: 'CopiesReceived',
  ...after,
  bookid,
  version,
  qty: 1,
  title,
  author,
  isbn: '',
})

export const ordered = (bookid = after.bookid): StockEvent => ({
  type: 'CopiesOrdered',
  ...after,
  bookid,
  purchaseid: randomUUID(),
  qty: 1,
})
