/** A notice: one message about one event, to one person over one channel, or one line on the console. */
import { hash } from 'node:crypto'
import type { CancellationCause, WithdrawalReason } from '../../messages.ts'

/**
 * `delivery-failed` and `alert` are for operators. The others are for customers and, if requested, the purchaser; `handed-over` is
 * only for the console.
 */
export const kinds = [
  'reserved',
  'failed',
  'cancelled',
  'purchase-requested',
  'delivery-failed',
  'alert',
  'queued',
  'ready',
  'reminder',
  'extended',
  'expired',
  'taken-back',
  'handed-over',
] as const
export type Kind = (typeof kinds)[number]
/** The kinds of notices that people read. */
export type WordedKind = Exclude<Kind, 'handed-over'>

/** `superseded`: something newer made it untrue before it was sent. `suppressed`: an operator stopped it. */
export const statuses = ['pending', 'sent', 'failed', 'superseded', 'suppressed'] as const
export type Status = (typeof statuses)[number]

/** The console and the chat, if there is one, get every notice; `person` is the customer, purchaser or operator concerned. */
export const audiences = ['console', 'chat', 'person'] as const
export type Audience = (typeof audiences)[number]

/** The known addresses of a person. `phone` is E.164. */
export type Addresses = { email: string | null; webhook: string | null; phone: string | null }
export type AddressName = keyof Addresses

/** The subject of a notice. */
export type Subject = {
  kind: Kind
  /** `null` for alerts. */
  bookid: string | null
  /** `null` when the notice is for the purchaser or the operators. */
  userid: string | null
  reservationid: string | null
  /** Why a reservation or a delivery failed. `UnknownBook`, with any kind: stock has never had the book. */
  reason: string | null
  /** How many copies a purchase request asks for. */
  shortage: number | null
  /** Of the book, once the notice is delivered or listed. `null` or empty if stock has not given any. */
  title?: string | null
  author?: string | null
  /** Of the notice, once it is delivered. */
  createdAt?: Date
  /** Further facts, which only some kinds have. */
  details?: ReservationDetails | PurchaseDetails | AlertDetails | FailureDetails | null
}

/** The state of a reservation of a book with rules, after the event; each kind has what it says. */
export type ReservationDetails = {
  type: 'reservation'
  /** How many waited then, up to and including this reservation. Repeated answers lack it. */
  position?: number
  /** How long the copy stays on the hold shelf, ISO 8601. `null`: without a deadline. */
  pickupBy?: string | null
  /** From 2 on: how often the reservation was served. */
  turn?: number
  /** Why it was canceled, or its copy taken back. */
  cause?: CancellationCause | WithdrawalReason
  note?: string
  /** When a reminder is due, ISO 8601. */
  remindAt?: string
}

/** How many wait for the book. */
type PurchaseDetails = { type: 'purchase'; waiting: number }

export type Alert = {
  /** A hash of the labels, so it is the same each time the alert fires. */
  fingerprint: string
  status: 'firing' | 'resolved'
  labels: Record<string, string>
  annotations: Record<string, string>
  startsAt: string
  endsAt: string
  generatorURL: string
}

/** The alerts of one group that have changed. */
export type AlertDetails = {
  type: 'alerts'
  groupKey: string
  externalURL: string
  alerts: Alert[]
  /** How many more alerts the sender left out. */
  truncated: number
}

/** A notice that was given up, and how many more of its channel were given up since. */
export type FailureDetails = {
  type: 'failure'
  noticeid: string
  kind: WordedKind
  channel: string
  more: number
}

/**
 * Derives the id of the notice about this outcome to this audience: a version 8 UUID (RFC 9562), always the same. It shares
 * its first 14 characters with the reservationid. If those rise with time, noticeids rise too, and inserts stay at the
 * end of the index.
 * @param occasion distinguishes notices of a kind that may come again: the turn, or the event's id.
 */
export function reservationNoticeId(
  reservationid: string,
  kind: Kind,
  audience: Audience,
  occasion?: string,
): string {
  const name = `${reservationid}/${kind}/${audience}${occasion === undefined ? '' : `/${occasion}`}`
  return `${reservationid.slice(0, 14)}${endOf(digestOf(name))}`
}

/**
 * Derives the id of a purchase request from the event's own id. Unlike answers, stock never repeats a request, and it may
 * request a book twice at the same version, so nothing else distinguishes two requests.
 */
export function purchaseNoticeId(eventid: string, audience: Audience): string {
  const hex = digestOf(`purchase-requested/${eventid}/${audience}`)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${endOf(hex)}`
}

/**
 * The input of the digest must never change: a cancellation or a repeated answer finds the notice of years ago by its id.
 */
const digestOf = (name: string): string => hash('sha256', name, 'hex')

/** The third to fifth group of the UUID: version, variant, and as much of the digest as fits. */
const endOf = (hex: string): string =>
  `8${hex.slice(13, 16)}-${variantOf[hex.charAt(16)]}${hex.slice(17, 20)}-${hex.slice(20, 32)}`

/** Sets the first two bits of a hex digit to the variant of the RFC. */
const variantOf = Object.fromEntries([...'0123456789abcdef'].map((digit, i) => [digit, '89ab'[i & 3]]))
