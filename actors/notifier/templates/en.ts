import type { StockRefusalReason } from '../../messages.ts'
import type { WordedKind } from '../plan/notice.ts'
import {
  alertOf,
  countByStatus,
  describeAlert,
  type Fact,
  failureOf,
  type Language,
  listNames,
  type Shown,
  timeOfDay,
} from './wording.ts'

const kindNames: Record<WordedKind, string> = {
  reserved: 'a confirmed reservation',
  failed: 'a failed reservation',
  cancelled: 'a cancellation',
  'purchase-requested': 'a purchase request',
  'delivery-failed': 'a failed delivery',
  alert: 'an alert',
  queued: 'a place in the queue',
  ready: 'a copy that is ready',
  reminder: 'a deadline that is near',
  extended: 'a new deadline',
  expired: 'an expired reservation',
  'taken-back': 'a copy that is no longer available',
}

const notReserved = 'We could not reserve the book for you.'
/** `ended`: the reservation had waited, or a copy was set aside for it. */
const reasons: Record<StockRefusalReason, { body: string[]; short: string; ended?: true }> = {
  OutOfStock: {
    body: [notReserved, 'No copy is available right now. We have asked our purchaser to buy more.'],
    short: 'no copy available',
  },
  UnknownBook: {
    body: [notReserved, "We don't have this book yet. We have asked our purchaser to buy it."],
    short: 'not in our collection',
  },
  QueueFull: {
    body: [notReserved, 'Too many people are already waiting for it. Please try again later.'],
    short: 'too many people waiting',
  },
  AlreadyReserved: {
    body: [
      notReserved,
      'You have another reservation of the same book. If you have just canceled that one, please reserve again in a moment.',
    ],
    short: 'you have reserved it already',
  },
  AlreadyHas: {
    body: [
      notReserved,
      'You have a copy of it. Once you have returned that copy, you can reserve the book again.',
    ],
    short: 'you have a copy',
  },
  NotAcquired: {
    ended: true,
    body: ['We have decided not to buy more copies of this book, so your reservation has ended.'],
    short: 'we will buy no more copies',
  },
  WaitLapsed: {
    ended: true,
    body: [
      'No copy became available during the time that we keep places in the queue, so your reservation has ended.',
      'If you still want the book, please reserve it again.',
    ],
    short: 'no copy came free in time',
  },
  CopyWithdrawn: {
    ended: true,
    body: [
      'The copy that we had set aside for you is no longer available, so your reservation has ended. We are sorry.',
    ],
    short: 'its copy is not available',
  },
}

const cancellations: Record<string, string> = {
  CustomerAsked: 'We have canceled your reservation, as you asked.',
  Staff: 'A member of our staff has canceled your reservation.',
  Duplicate: 'We have canceled this reservation because you have another one of the same book.',
}

const losses: Record<string, string> = {
  Lost: 'The copy that we had set aside for you is lost.',
  Damaged: 'The copy that we had set aside for you is damaged.',
}
const unavailable = 'The copy that we had set aside for you is no longer available.'

const factsOf = (subject: Shown): Fact[] => [
  ['Book', subject.title ?? subject.bookid],
  ['Author', subject.author ?? null],
  ['Collect by', subject.until],
  ['Place in the queue', subject.position?.toString() ?? null],
  ['Note', subject.note],
  ['Book id', subject.title ? subject.bookid : null],
  ['Reservation', subject.reservationid],
  ['Customer', subject.userid],
]

const nameOf = ({ title, bookid }: Shown) => (title ? `“${title}”` : bookid)
/** @returns nothing if the book must not be named. */
const after = (preposition: string, subject: Shown) =>
  nameOf(subject) === null ? '' : ` ${preposition} ${nameOf(subject)}`
const ofBook = (subject: Shown) => after('of', subject)
const labelOf = (subject: Shown) => (nameOf(subject) === null ? '' : `${nameOf(subject)}: `)
const plural = (count: number | null, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`
const people = (count: number) => (count === 1 ? '1 person' : `${count} people`)

const weekdays = new Intl.DateTimeFormat('en', { weekday: 'long', timeZone: 'UTC' })
const months = new Intl.DateTimeFormat('en', { month: 'long', timeZone: 'UTC' })

export const english: Language = {
  code: 'en',
  someBook: 'your book',
  factsOf,
  instant(wall, year) {
    const day = `${weekdays.format(wall)}, ${wall.getUTCDate()} ${months.format(wall)}`
    return `${day}${year ? ` ${wall.getUTCFullYear()}` : ''}, ${timeOfDay(wall)}`
  },
  templates: {
    reserved: (subject) => ({
      title: `Your reservation${ofBook(subject)} is confirmed`,
      body: [
        'We have set a copy of the book aside for you.',
        ...(subject.hasRules ? ['We will notify you as soon as you can collect it.'] : []),
      ],
      short: `${labelOf(subject)}your reservation is confirmed.`,
    }),

    failed(subject) {
      const { body, short, ended } = reasons[subject.reason as StockRefusalReason] ?? reasons.OutOfStock
      const end = ended ? 'has ended' : 'failed'
      return {
        title: `Your reservation${ofBook(subject)} ${end}`,
        body,
        short: `${labelOf(subject)}your reservation ${end} (${short}).`,
      }
    },

    cancelled: (subject) => ({
      title: `Your reservation${ofBook(subject)} has been canceled`,
      body: [
        cancellations[subject.cause ?? ''] ??
          "Your reservation has been canceled. You don't need to do anything else.",
      ],
      short: `${labelOf(subject)}your reservation has been canceled.`,
    }),

    queued: (subject) => ({
      title: `You are waiting${after('for', subject)}`,
      body: [
        'No copy is available right now, so we have put you in the queue.',
        subject.position === null
          ? 'We will notify you when a copy is set aside for you.'
          : `You are number ${subject.position}. We will notify you when a copy is set aside for you.`,
      ],
      short:
        subject.position === null
          ? `${labelOf(subject)}you are in the queue.`
          : `${labelOf(subject)}you are number ${subject.position} in the queue.`,
    }),

    ready: (subject) => ({
      title: `Your copy${ofBook(subject)} is ready`,
      body: [
        'Your copy is ready for you to collect.',
        subject.until === null
          ? 'Please collect it whenever it suits you.'
          : `We keep it for you until ${subject.until}.`,
      ],
      short:
        subject.until === null
          ? `${labelOf(subject)}your copy is ready.`
          : `${labelOf(subject)}ready for you until ${subject.until}.`,
    }),

    reminder: (subject) => ({
      title: `Please collect ${nameOf(subject) ?? 'your book'} by ${subject.until}`,
      body: [
        'Your copy is still waiting for you.',
        `We keep it until ${subject.until}. After that your reservation expires.`,
      ],
      short: `${labelOf(subject)}please collect it by ${subject.until}.`,
    }),

    extended: (subject) => ({
      title: `New deadline to collect ${nameOf(subject) ?? 'your book'}`,
      body: [`We now keep your copy for you until ${subject.until}.`],
      short: `${labelOf(subject)}we now keep it until ${subject.until}.`,
    }),

    expired: (subject) => ({
      title: `Your reservation${ofBook(subject)} has expired`,
      body: [
        'Your copy was not collected in time, so your reservation has expired.',
        'If you still want the book, please reserve it again.',
      ],
      short: `${labelOf(subject)}your reservation has expired.`,
    }),

    'taken-back': (subject) => ({
      title: `You are waiting again${after('for', subject)}`,
      body: [
        `${losses[subject.cause ?? ''] ?? unavailable} We are sorry.`,
        'You are waiting again. If you had a place in the queue, you keep it. We will notify you when another copy is set aside for you.',
      ],
      short: `${labelOf(subject)}your copy is unavailable, you are waiting again.`,
    }),

    'purchase-requested'(subject) {
      const { shortage, waiting } = subject
      const refused = shortage || waiting === 0 ? plural(shortage, 'reservation') : null
      const waits = waiting > 0 ? people(waiting) : null
      return {
        title: `Please buy: ${nameOf(subject)}`,
        body: [
          [
            refused && `We had to turn down ${refused} because no copies were left.`,
            waits && `${waits} ${waiting === 1 ? 'is' : 'are'} waiting for a copy.`,
          ]
            .filter(Boolean)
            .join(' '),
        ],
        short: `Please buy ${nameOf(subject)}: ${[
          waits && `${waits} waiting`,
          refused && `${refused} turned down`,
        ]
          .filter(Boolean)
          .join(', ')}.`,
      }
    },

    'delivery-failed'(subject) {
      const { channel, kind, noticeid, more } = failureOf(subject)
      return {
        title: `Could not deliver a notice by ${channel}`,
        body: [
          `We could not deliver a notice about ${kindNames[kind]} by ${channel}. We won't retry it.`,
          ...(more > 0 ? [`${plural(more, 'more notice')} could not be delivered by ${channel}.`] : []),
        ],
        short: `${channel}: ${plural(more + 1, 'notice')} could not be delivered.`,
        facts: [['Reason', subject.reason], ['Notice', noticeid], ...factsOf(subject)],
      }
    },

    alert(subject) {
      const { alerts, externalURL, truncated } = alertOf(subject)
      const { firing, resolved } = countByStatus(alerts)
      const counts = [firing && `${firing} firing`, resolved && `${resolved} resolved`]
      const title = `[alert] ${counts.filter(Boolean).join(', ')}: ${listNames(alerts)}`
      return {
        title,
        body: [
          ...alerts.map((it) => `${it.status}: ${describeAlert(it)} (since ${it.startsAt})`),
          ...(truncated > 0 ? [`${plural(truncated, 'more alert')} not shown.`] : []),
        ],
        short: title,
        facts: [['Alertmanager', externalURL || null]],
      }
    },
  },
}
