import type { Kind } from '../../notice.ts'
import { failureOf, type Template } from '../wording.ts'
import { facts } from './facts.ts'

export const deliveryFailed: Template = (subject) => {
  const { channel, kind, noticeid, more } = failureOf(subject)
  return {
    title: `A notice could not be delivered: ${channel}`,
    body: [
      `A notice of ${kindNames[kind]} could not be delivered over ${channel}. It is not tried again.`,
      ...(more > 0 ? [`Of the same channel, this many more could not be delivered: ${more}.`] : []),
    ],
    short: `${channel}: notices that could not be delivered: ${more + 1}.`,
    facts: [['Reason', subject.reason], ['Notice', noticeid], ...facts(subject)],
  }
}

const kindNames: Record<Kind, string> = {
  reserved: 'a reservation that succeeded',
  failed: 'a reservation that failed',
  cancelled: 'a cancellation',
  'purchase-requested': 'a request to buy',
  'delivery-failed': 'a failed delivery',
  alert: 'an alert',
}
