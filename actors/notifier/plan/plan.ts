/**
 * Which notices follow from stock's events. Pure: contacts and settings come in, planned notices go out.
 *
 * N1. Each outcome of a reservation is told once to each audience, however often stock repeats its answer and whatever
 *     the customer chooses meanwhile: the same outcome has the same noticeid.
 * N2. A cancellation supersedes an outcome, success or failure, that was not told yet: in the same batch here, an earlier
 *     one by `withdraws`.
 * N3. After a cancellation no outcome of that reservation is told: a late one is planned as superseded here, or by the
 *     handler when the cancellation (`unlessOf`) was in an earlier batch.
 * N4. Requests to buy one book that the purchaser was not told of yet become one, and none when the book was ordered
 *     (`gather.ts`).
 */
import type { StockEvent } from '../../messages.ts'
import type { ChannelName } from '../channels/all.ts'
import type { Contact } from '../customers/customers.ts'
import { type Audience, type Kind, purchaseNoticeId, reservationNoticeId, type Subject } from './notice.ts'
import { type Routing, routeOf } from './routing.ts'

/** What a cancellation makes needless to tell. */
const outcomes = ['reserved', 'failed'] as const
export const isOutcome = (kind: Kind) => outcomes.some((it) => it === kind)

/** The console is told at once, so nothing of it is left to withdraw. */
const queued = ['chat', 'person'] as const satisfies Audience[]

export type PlannedNotice = Subject & {
  bookid: string
  noticeid: string
  audience: Audience
  /** The first that it goes to. */
  channel: ChannelName
  superseded: boolean
  /** Whether the console was told already. */
  told: boolean
  /** Whether stock has given this answer for the first time: then no notice of it, or of a cancellation, exists. */
  first: boolean
  partition: number
  traceparent: string | null
  occurredAt?: string
}

export type Plan = {
  notices: PlannedNotice[]
  /** Notices of earlier batches that are not to be sent any more. */
  withdraws: { noticeid: string; partition: number }[]
  /** Books that were ordered, each `behind` so many of the notices. */
  orders: { bookid: string; partition: number; behind: number }[]
}

/** An event of stock, with what a notice keeps of the message that carried it. */
export type Occurrence = {
  event: StockEvent
  /** Whether it is certainly an answer that was never read before. */
  first?: boolean
  /** The event's own: the same when it is read again. */
  id: string
  partition: number
  traceparent: string | null
  occurredAt?: string
}

/** @param contactOf what is known of a customer, if anything. */
export function planNotices(
  occurrences: Occurrence[],
  contactOf: (userid: string) => Contact | undefined,
  routing: Routing,
): Plan {
  const planned = new Map<string, PlannedNotice>()
  const withdraws: Plan['withdraws'] = []
  const orders: Plan['orders'] = []
  const cancelled = new Set<string>()
  for (const { event, id, first = false, ...message } of occurrences) {
    if (event.type === 'CopiesOrdered')
      orders.push({ bookid: event.bookid, partition: message.partition, behind: planned.size })
    const subject = subjectOf(event)
    if (!subject) continue
    const { kind, reservationid } = subject
    if (kind === 'cancelled') cancelled.add(reservationid!)
    for (const [audience, channel] of toldTo(subject, contactOf, routing)) {
      const noticeid = noticeIdOf(id, subject, audience)
      if (planned.has(noticeid)) continue
      planned.set(noticeid, {
        ...subject,
        ...message,
        noticeid,
        audience,
        channel,
        superseded: false,
        told: false,
        first,
      })
    }
    if (kind !== 'cancelled') continue
    for (const audience of queued) {
      for (const outcome of outcomes) {
        const noticeid = reservationNoticeId(reservationid!, outcome, audience)
        if (!planned.has(noticeid)) withdraws.push({ noticeid, partition: message.partition })
      }
    }
  }
  for (const notice of planned.values()) {
    if (isOutcome(notice.kind)) notice.superseded = cancelled.has(notice.reservationid!)
  }
  return { notices: [...planned.values()], withdraws, orders }
}

/**
 * Events come by the thousand a second: a plain switch, which the compiler checks to be exhaustive.
 * @returns what there is to tell about an event; nothing for those that concern nobody outside the shop.
 */
function subjectOf(event: StockEvent): (Subject & { bookid: string }) | undefined {
  const { bookid } = event
  switch (event.type) {
    case 'CopyReserved':
      return { kind: 'reserved', ...whose(event), reason: null, shortage: null }
    case 'ReservationRefused':
      return { kind: 'failed', ...whose(event), reason: event.reason, shortage: null }
    case 'CopyReleased':
      return { kind: 'cancelled', ...whose(event), reason: unknownTo(event), shortage: null }
    case 'PurchaseRequested': {
      const { shortage } = event
      const reason = unknownTo(event)
      return { kind: 'purchase-requested', bookid, userid: null, reservationid: null, reason, shortage }
    }
    case 'CopiesReceived':
    case 'CopiesOrdered':
      return undefined
  }
}

/** A book's version rises with its first receipt: at 0, nothing of it ever came, and its id is a stranger's word. */
const unknownTo = ({ version }: StockEvent) => (version === 0 ? ('UnknownBook' as const) : null)

const whose = (it: { bookid: string; userid: string; reservationid: string }) => ({
  bookid: it.bookid,
  userid: it.userid,
  reservationid: it.reservationid,
})

function toldTo(
  subject: Subject,
  contactOf: (userid: string) => Contact | undefined,
  routing: Routing,
): [Audience, ChannelName][] {
  const told: [Audience, ChannelName][] = [['console', 'console']]
  const contact = subject.userid === null ? undefined : contactOf(subject.userid)
  const [first] = routeOf(subject, contact, routing)
  if (first) told.push(['person', first])
  if (routing.configured.has('chat')) told.push(['chat', 'chat'])
  return told
}

const noticeIdOf = (eventid: string, { kind, reservationid }: Subject, audience: Audience) =>
  reservationid === null
    ? purchaseNoticeId(eventid, audience)
    : reservationNoticeId(reservationid, kind, audience)

/** The console is always told, so its notice of the cancellation stands for all. */
export const cancellationOf = (reservationid: string): string =>
  reservationNoticeId(reservationid, 'cancelled', 'console')

/** @returns the notice that, if it exists already, makes this one superseded. */
export const unlessOf = ({ kind, reservationid }: Subject): string | null =>
  isOutcome(kind) ? cancellationOf(reservationid!) : null
