import type { Kind, Subject } from '../plan/notice.ts'
import { alertOf, countByStatus, describeAlert, failureOf, type Language, listNames } from './wording.ts'

const kindNames: Record<Kind, string> = {
  reserved: 'a confirmed reservation',
  failed: 'a failed reservation',
  cancelled: 'a cancellation',
  'purchase-requested': 'a purchase request',
  'delivery-failed': 'a failed delivery',
  alert: 'an alert',
}

const factsOf = (subject: Subject): [string, string | null][] => [
  ['Book', subject.title ?? subject.bookid],
  ['Author', subject.author ?? null],
  ['Book id', subject.title ? subject.bookid : null],
  ['Reservation', subject.reservationid],
  ['Customer', subject.userid],
]

const nameOf = ({ title, bookid }: Subject) => (title ? `“${title}”` : bookid)

function ofBook(subject: Subject): string {
  const name = nameOf(subject)
  return name === null ? '' : ` of ${name}`
}

function labelOf(subject: Subject): string {
  const name = nameOf(subject)
  return name === null ? '' : `${name}: `
}

const plural = (count: number | null, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`

export const english: Language = {
  code: 'en',
  someBook: 'your book',
  templates: {
    reserved: (subject) => ({
      title: `Your reservation${ofBook(subject)} is confirmed`,
      body: ['We have set a copy of the book aside for you.'],
      short: `${labelOf(subject)}your reservation is confirmed.`,
      facts: factsOf(subject),
    }),

    failed(subject) {
      const isUnknown = subject.reason === 'UnknownBook'
      return {
        title: `Your reservation${ofBook(subject)} failed`,
        body: [
          'We could not reserve the book for you.',
          isUnknown
            ? "We don't have this book yet. We have asked our purchaser to buy it."
            : 'No copy is available right now. We have asked our purchaser to buy more.',
        ],
        short: `${labelOf(subject)}your reservation failed (${isUnknown ? 'not in our collection' : 'no copy available'}).`,
        facts: factsOf(subject),
      }
    },

    cancelled: (subject) => ({
      title: `Your reservation${ofBook(subject)} has been canceled`,
      body: ["Your reservation has been canceled. You don't need to do anything else."],
      short: `${labelOf(subject)}your reservation has been canceled.`,
      facts: factsOf(subject),
    }),

    'purchase-requested': (subject) => ({
      title: `Please buy: ${nameOf(subject)}`,
      body: [`We had to turn down ${plural(subject.shortage, 'reservation')} because no copies were left.`],
      short: `Please buy ${nameOf(subject)}: ${plural(subject.shortage, 'reservation')} turned down.`,
      facts: factsOf(subject),
    }),

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
