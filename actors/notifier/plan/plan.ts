/**
 * Plans the notices that follow from stock's events. Pure: contacts and settings in, planned notices out.
 *
 * N1. Each audience is notified once of each outcome of a reservation, however often stock repeats its answer and whatever
 *     channel the customer chooses meanwhile: the same outcome has the same noticeid.
 * N2. A cancellation supersedes an unsent outcome, success or failure: one of the same batch is superseded here, one of an
 *     earlier batch by `withdrawals`.
 * N3. After a cancellation no outcome of that reservation is sent. A late outcome is planned as superseded: here, or by the
 *     handler if the cancellation (`supersededBy`) was in an earlier batch.
 */
import type { StockEvent } from '../../messages.ts'
import type { ChannelName } from '../channels/all.ts'
import type { Contact } from '../customers/customers.ts'
import { type Audience, type Kind, purchaseNoticeId, reservationNoticeId, type Subject } from './notice.ts'
import { type Routing, routeOf } from './routing.ts'

/** The kinds that a cancellation supersedes. */
const outcomes = ['reserved', 'failed'] as const
export const isOutcome = (kind: Kind) => outcomes.some((it) => it === kind)

/** The audiences whose notices can be withdrawn. The console is printed at once. */
const queued = ['chat', 'person'] as const satisfies Audience[]

export type PlannedNotice = Subject & {
  bookid: string
  noticeid: string
  audience: Audience
  /** The first channel to try. */
  channel: ChannelName
  superseded: boolean
  /** Whether it has been printed on the console. */
  printed: boolean
  /** Whether stock gives this answer for the first time: then there is no notice of it, or of a cancellation, yet. */
  first: boolean
  partition: number
  traceparent: string | null
  occurredAt?: string
}

export type Plan = {
  notices: PlannedNotice[]
  /** Notices of earlier batches that must not be sent any more. */
  withdrawals: { noticeid: string; partition: number }[]
  /** Books that were ordered, each before the notice at `index`. */
  orders: { bookid: string; partition: number; index: number }[]
}

/** An event of stock, with the fields of its message that a notice keeps. */
export type Occurrence = {
  event: StockEvent
  /** Whether the answer has certainly not been read before. */
  first?: boolean
  /** The event's id. It is the same when the event is read again. */
  id: string
  partition: number
  traceparent: string | null
  occurredAt?: string
}

export function planNotices(
  occurrences: Occurrence[],
  contactOf: (userid: string) => Contact | undefined,
  routing: Routing,
): Plan {
  const planned = new Map<string, PlannedNotice>()
  const withdrawals: Plan['withdrawals'] = []
  const orders: Plan['orders'] = []
  const canceled = new Set<string>()
  for (const { event, id, first = false, ...message } of occurrences) {
    if (event.type === 'CopiesOrdered')
      orders.push({ bookid: event.bookid, partition: message.partition, index: planned.size })
    const subject = subjectOf(event)
    if (!subject) continue
    const { kind, reservationid } = subject
    if (kind === 'cancelled') canceled.add(reservationid!)
    for (const [audience, channel] of audiencesOf(subject, contactOf, routing)) {
      const noticeid = noticeIdOf(id, subject, audience)
      if (planned.has(noticeid)) continue
      planned.set(noticeid, {
        ...subject,
        ...message,
        noticeid,
        audience,
        channel,
        superseded: false,
        printed: false,
        first,
      })
    }
    if (kind !== 'cancelled') continue
    for (const audience of queued) {
      for (const outcome of outcomes) {
        const noticeid = reservationNoticeId(reservationid!, outcome, audience)
        if (!planned.has(noticeid)) withdrawals.push({ noticeid, partition: message.partition })
      }
    }
  }
  for (const notice of planned.values()) {
    if (isOutcome(notice.kind)) notice.superseded = canceled.has(notice.reservationid!)
  }
  return { notices: [...planned.values()], withdrawals, orders }
}

/**
 * Events come by the thousand per second, so this is a plain switch, which the compiler checks to be exhaustive.
 * @returns undefined for events that concern only the library itself.
 */
function subjectOf(event: StockEvent): (Subject & { bookid: string }) | undefined {
  const { bookid } = event
  switch (event.type) {
    case 'CopyReserved':
      return { kind: 'reserved', ...reservationOf(event), reason: null, shortage: null }
    case 'ReservationRefused':
      return { kind: 'failed', ...reservationOf(event), reason: event.reason, shortage: null }
    case 'CopyReleased':
      return { kind: 'cancelled', ...reservationOf(event), reason: reasonOf(event), shortage: null }
    case 'PurchaseRequested': {
      const { shortage } = event
      const reason = reasonOf(event)
      return { kind: 'purchase-requested', bookid, userid: null, reservationid: null, reason, shortage }
    }
    case 'CopiesReceived':
    case 'CopiesOrdered':
      return undefined
  }
}

/** A book's version rises with its first receipt. At 0 stock has never had it, and its id is only what a client wrote. */
const reasonOf = ({ version }: StockEvent) => (version === 0 ? ('UnknownBook' as const) : null)

const reservationOf = (it: { bookid: string; userid: string; reservationid: string }) => ({
  bookid: it.bookid,
  userid: it.userid,
  reservationid: it.reservationid,
})

function audiencesOf(
  subject: Subject,
  contactOf: (userid: string) => Contact | undefined,
  routing: Routing,
): [Audience, ChannelName][] {
  const audiences: [Audience, ChannelName][] = [['console', 'console']]
  const contact = subject.userid === null ? undefined : contactOf(subject.userid)
  const [first] = routeOf(subject, contact, routing)
  if (first) audiences.push(['person', first])
  if (routing.configured.has('chat')) audiences.push(['chat', 'chat'])
  return audiences
}

const noticeIdOf = (eventid: string, { kind, reservationid }: Subject, audience: Audience) =>
  reservationid === null
    ? purchaseNoticeId(eventid, audience)
    : reservationNoticeId(reservationid, kind, audience)

/** Every cancellation is printed on the console, so that notice proves the cancellation. */
export const cancellationOf = (reservationid: string): string =>
  reservationNoticeId(reservationid, 'cancelled', 'console')

/** @returns the notice that supersedes this one if it exists, if any can. */
export const supersededBy = ({ kind, reservationid }: Subject): string | null =>
  isOutcome(kind) ? cancellationOf(reservationid!) : null
