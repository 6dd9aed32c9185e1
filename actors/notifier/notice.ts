/** A notice: one message to one person over one channel, about one outcome. */
import { hash } from 'node:crypto'

export const kinds = ['reserved', 'failed', 'cancelled', 'purchase-requested'] as const
export type Kind = (typeof kinds)[number]

/** `webhook` is the customer's own, `chat` the one that hears everything. */
export const channelNames = [
  'console',
  'email',
  'webhook',
  'sms',
  'kakao',
  'slack',
  'discord',
  'teams',
  'chat',
] as const
export type ChannelName = (typeof channelNames)[number]

export const statuses = ['pending', 'sent', 'failed', 'superseded'] as const
export type Status = (typeof statuses)[number]

/** What a notice is about. */
export type Subject = {
  kind: Kind
  bookid: string
  /** Absent when the notice is for the purchaser. */
  userid: string | null
  reservationid: string | null
  /** Why a reservation failed. */
  reason: string | null
  /** How many copies a purchase request asks for. */
  shortage: number | null
}

/** How a customer wants to be told. */
export type Contact = { email: string | null; webhook: string | null; locale: string }

/**
 * The id of the notice that tells `kind` of a reservation over a channel: a version 8 UUID (RFC 9562), the same each
 * time it is asked for. It begins like the reservationid: where those rise with time, so do these, and inserts stay
 * at the end of the index.
 */
export function reservationNoticeId(reservationid: string, kind: Kind, channel: ChannelName): string {
  return uuidOf(`${reservationid}/${kind}/${channel}`, reservationid.replaceAll('-', '').slice(0, 12))
}

/**
 * The id of the notice that asks the purchaser for a book. Stock never repeats a request as it repeats answers, and a
 * book may be asked for again at the same version, so the event's own id is what tells one request from another.
 */
export function purchaseNoticeId(eventid: string, channel: ChannelName): string {
  return uuidOf(`purchase-requested/${eventid}/${channel}`)
}

function uuidOf(name: string, prefix = ''): string {
  const hex = prefix + hash('sha256', name, 'hex').slice(prefix.length)
  const variant = '89ab'[Number.parseInt(hex[16]!, 16) & 3]
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
