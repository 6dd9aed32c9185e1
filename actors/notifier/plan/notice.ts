/** A notice: one message to one person, or a line on the console, about one thing that happened. */
import { hash } from 'node:crypto'

/** The last two are for operators: an alert of the monitoring, and a notice that cannot be told. */
export const kinds = [
  'reserved',
  'failed',
  'cancelled',
  'purchase-requested',
  'delivery-failed',
  'alert',
] as const
export type Kind = (typeof kinds)[number]

/** `suppressed`: an operator has said that it is not to be told. */
export const statuses = ['pending', 'sent', 'failed', 'superseded', 'suppressed'] as const
export type Status = (typeof statuses)[number]

/** Who is told. Everything is told on the console and, if there is one, in the chat; and to the one whom it concerns. */
export const audiences = ['console', 'chat', 'person'] as const
export type Audience = (typeof audiences)[number]

/** What a notice is about. */
export type Subject = {
  kind: Kind
  /** Absent when it is about no book. */
  bookid: string | null
  /** Absent when the notice is for the purchaser or the operators. */
  userid: string | null
  reservationid: string | null
  /** Why a reservation failed, or a delivery. `UnknownBook` of any kind: stock never had the book. */
  reason: string | null
  /** How many copies a purchase request asks for. */
  shortage: number | null
  /** What only an alert and a failed delivery have. */
  details?: AlertDetails | FailureDetails | null
}

export type Alert = {
  /** Of the labels, so the same whenever the alert fires. */
  fingerprint: string
  status: 'firing' | 'resolved'
  labels: Record<string, string>
  annotations: Record<string, string>
  startsAt: string
  endsAt: string
  generatorURL: string
}

/** Alerts of one group that have changed. */
export type AlertDetails = {
  type: 'alerts'
  groupKey: string
  externalURL: string
  alerts: Alert[]
  /** How many more there are, which the sender left out. */
  truncated: number
}

/** A notice that was given up, and how many more of its channel were since. */
export type FailureDetails = {
  type: 'failure'
  noticeid: string
  kind: Kind
  channel: string
  more: number
}

/** Where a person can be reached, as far as that is known. `phone` is E.164. */
export type Addresses = { email: string | null; webhook: string | null; phone: string | null }
export type AddressName = keyof Addresses

/**
 * The id of the notice that tells an audience `kind` of a reservation: a version 8 UUID (RFC 9562), the same each time
 * it is asked for. It begins like the reservationid: where those rise with time, so do these, and inserts stay at the
 * end of the index.
 */
export function reservationNoticeId(reservationid: string, kind: Kind, audience: Audience): string {
  return `${reservationid.slice(0, 14)}${endOf(digestOf(`${reservationid}/${kind}/${audience}`))}`
}

/**
 * The id of the notice that asks the purchaser for a book. Stock never repeats a request as it repeats answers, and a
 * book may be asked for again at the same version, so the event's own id is what tells one request from another.
 */
export function purchaseNoticeId(eventid: string, audience: Audience): string {
  const hex = digestOf(`purchase-requested/${eventid}/${audience}`)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${endOf(hex)}`
}

/**
 * What ids are made of may never change: rows bear them, and the cancellation, or the repeated answer, of a reservation that
 * was told years ago finds them again.
 */
const digestOf = (name: string): string => hash('sha256', name, 'hex')

/** The third to fifth part of the id: its version, its variant and as much of the digest as they leave. */
const endOf = (hex: string): string =>
  `8${hex.slice(13, 16)}-${variantOf[hex.charAt(16)]}${hex.slice(17, 20)}-${hex.slice(20, 32)}`

/** A digit whose first two bits say that the id is of the RFC's variant, by the digit that stands there. */
const variantOf = Object.fromEntries([...'0123456789abcdef'].map((digit, i) => [digit, '89ab'[i & 3]]))
