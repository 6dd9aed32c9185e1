/**
 * Plans the notices that follow from stock's events. Pure: contacts and settings in, planned notices out.
 *
 * N1. Each audience is notified once of each outcome of a reservation, however often stock repeats its answer and whatever
 *     channel the customer chooses meanwhile: the same outcome has the same noticeid.
 * N2. A cancellation supersedes an unsent outcome, success or failure: one of the same batch is superseded here, one of an
 *     earlier batch by `withdrawals`.
 * N3. After a cancellation no outcome of that reservation is sent. A late outcome is planned as superseded: here, or by the
 *     handler if the cancellation (`supersededBy`) was in an earlier batch.
 * N4. Every event supersedes the unsent notices that it makes untrue (`supersession.ts`): those before it in its batch are
 *     superseded here, those of earlier batches by `withdrawals` and `pickups`. Notices that these cannot name are found
 *     when they are claimed.
 * N5. A customer is reminded of a deadline once, on the day before it. An extension moves the reminder.
 */
import type { StockEvent } from '../../messages.ts'
import type { ChannelName } from '../channels/all.ts'
import type { Contact } from '../customers/customers.ts'
import { type Audience, type Kind, purchaseNoticeId, reservationNoticeId, type Subject } from './notice.ts'
import { type Routing, routeOf } from './routing.ts'
import { type BookSubject, reminderOf, subjectOf } from './subject.ts'
import {
  effects,
  hasTurns,
  isCancelable,
  isFollowUp,
  isPickup,
  leavesQueueEmpty,
  occasionOf,
  outcomes,
  turnOf,
} from './supersession.ts'

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
  /** Reservations whose unsent reminders and extensions are no longer true, unless the notice of the event exists already. */
  pickups: { reservationid: string; partition: number; noticeid: string }[]
  /**
   * Books that were ordered, or that are not going to be, each before the notice at `index`; `ofQueue` if no reservation waits any
   * more, which ends a request without refusals.
   */
  orders: { bookid: string; partition: number; index: number; ofQueue?: true }[]
}

/** An event of stock, with the fields of its message that a notice keeps. */
type Occurrence = {
  event: StockEvent
  /** Whether the answer has certainly not been read before. */
  first?: boolean
  /** The event's id. It is the same when the event is read again. */
  id: string
  partition: number
  traceparent: string | null
  occurredAt?: string
}

/** An event that makes earlier notices of its reservation untrue. */
type FollowUp = {
  reservationid: string
  partition: number
  /** Of the event itself, on the console. */
  noticeid: string
  kinds: readonly Kind[]
  /** Notices of later turns stay. */
  turn: number
  /** The turn of the notices of earlier batches. */
  before: number
  /** Notices from this one on stay. */
  index: number
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
  const followUps: FollowUp[] = []

  const add = (subject: BookSubject, { event, id, first = false, ...message }: Occurrence) => {
    const occasion = occasionFor(event, id)
    for (const [audience, channel] of audiencesOf(subject, contactOf, routing)) {
      const noticeid = noticeIdOf(id, subject, audience, occasion)
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
  }
  const withdraw = (reservationid: string, kind: Kind, partition: number, occasion?: string) => {
    for (const audience of queued) {
      const noticeid = reservationNoticeId(reservationid, kind, audience, occasion)
      if (!planned.has(noticeid)) withdrawals.push({ noticeid, partition })
    }
  }

  for (const occurrence of occurrences) {
    const { event, id, partition } = occurrence
    if (event.type === 'CopiesOrdered' || event.type === 'PurchaseDeclined')
      orders.push({ bookid: event.bookid, partition, index: planned.size })
    else if (leavesQueueEmpty(event))
      orders.push({ bookid: event.bookid, partition, index: planned.size, ofQueue: true })
    const subject = subjectOf(event)
    if (!subject) continue
    const { kind, reservationid } = subject
    const index = planned.size
    add(subject, occurrence)
    if (kind === 'cancelled') canceled.add(reservationid!)
    if (!isFollowUp(event)) {
      if (kind === 'cancelled') for (const outcome of outcomes) withdraw(reservationid!, outcome, partition)
      continue
    }
    // A copy of an event that another client has added to the stream.
    if (planned.size === index) continue
    followUps.push(followUpOf(event, id, subject, partition, index))
    const reminder = reminderOf(event, subject, occurrence.occurredAt, routing.timeZone)
    if (reminder) add(reminder, occurrence)
  }

  const notices = [...planned.values()]
  for (const notice of notices)
    if (isCancelable(notice.kind)) notice.superseded = canceled.has(notice.reservationid!)
  supersedeEarlier(notices, followUps)
  for (const { reservationid, partition, kinds, before } of followUps) {
    for (const kind of kinds.filter((it) => !isPickup(it)))
      withdraw(reservationid, kind, partition, hasTurns(kind) ? occasionOf(before) : undefined)
  }
  const pickups = followUps.filter(({ kinds }) => kinds.some(isPickup))
  return { notices, withdrawals, pickups, orders }
}

function followUpOf(
  event: StockEvent,
  id: string,
  subject: Subject,
  partition: number,
  index: number,
): FollowUp {
  const turn = turnIn(event)
  return {
    reservationid: subject.reservationid!,
    partition,
    noticeid: noticeIdOf(id, subject, 'console', occasionFor(event, id)),
    kinds: effects[event.type].supersedes,
    turn: turn ?? Number.POSITIVE_INFINITY,
    before: event.type === 'CopyTakenBack' ? event.turn - 1 : (turn ?? 1),
    index,
  }
}

function supersedeEarlier(notices: PlannedNotice[], followUps: FollowUp[]): void {
  if (followUps.length === 0) return
  const byReservation = Map.groupBy(followUps, (it) => it.reservationid)
  for (const [index, notice] of notices.entries()) {
    const later = byReservation.get(notice.reservationid ?? '') ?? []
    const isUntrue = (it: FollowUp) =>
      index < it.index && it.kinds.includes(notice.kind) && turnOf(notice) <= it.turn
    if (later.some(isUntrue)) notice.superseded = true
  }
}

function audiencesOf(
  subject: Subject,
  contactOf: (userid: string) => Contact | undefined,
  routing: Routing,
): [Audience, ChannelName][] {
  const { kind, userid } = subject
  // A reminder is not printed: nothing has happened.
  const audiences: [Audience, ChannelName][] = kind === 'reminder' ? [] : [['console', 'console']]
  if (kind === 'handed-over') return audiences
  const contact = userid === null ? undefined : contactOf(userid)
  const [first] = routeOf(subject, contact, routing)
  if (first) audiences.push(['person', first])
  if (routing.configured.has('chat')) audiences.push(['chat', 'chat'])
  return audiences
}

const noticeIdOf = (
  eventid: string,
  { kind, reservationid }: Subject,
  audience: Audience,
  occasion: string | undefined,
) =>
  reservationid === null
    ? purchaseNoticeId(eventid, audience)
    : reservationNoticeId(reservationid, kind, audience, occasion)

/** @returns undefined for events that happen once, or that do not say how often the reservation has been served. */
function turnIn(event: StockEvent): number | undefined {
  switch (event.type) {
    case 'CopyReserved':
    case 'CopyShelved':
    case 'CopyTakenBack':
      return event.turn ?? 1
    default:
      return undefined
  }
}

/** A reservation may be extended any number of times, also to a deadline that it had before. */
function occasionFor(event: StockEvent, id: string): string | undefined {
  if (event.type === 'PickupExtended') return id
  const turn = turnIn(event)
  return turn === undefined ? undefined : occasionOf(turn)
}
