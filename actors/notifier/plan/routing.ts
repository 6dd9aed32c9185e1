/**
 * Decides over which channels a notice goes to its recipient. Pure.
 *
 * A customer is notified over one channel: the first channel in the customer's order (or the operators' default) that we have
 * an address for. The channels after it are fallbacks for a permanent refusal. The same holds for the purchaser. Operators are
 * notified over all of their channels at once, because an alert may be about one of them.
 */
import type { Config } from '../../../platform/config.ts'
import { addressNeeded, type ChannelName } from '../channels/all.ts'
import type { NotifierConfig } from '../config.ts'
import type { Addresses, Kind, Subject } from './notice.ts'

/** A member of the library's staff. */
export type Party = Addresses & { channels: ChannelName[] }

export type Routing = {
  /** The channels that are open, besides the console. */
  configured: ReadonlySet<ChannelName>
  /** The order for customers without a preference, for all kinds and for some. */
  customers: { channels: ChannelName[]; byKind: { [kind in Kind]?: ChannelName[] | undefined } }
  purchaser: Party
  operator: Party
  /** For recipients without a locale. */
  locale: string
  /** Of the library, IANA. */
  timeZone: string
}

type Recipient = Pick<Subject, 'kind' | 'userid'>
type Preferences = Addresses & { channels: ChannelName[] | null }

/** @returns every channel over which the notice can reach its recipient, in order. */
export function routeOf(
  recipient: Recipient,
  contact: Preferences | undefined,
  routing: Routing,
): ChannelName[] {
  const addresses = addressesOf(recipient, contact, routing)
  return orderOf(recipient, contact, routing).filter((channel) => {
    const address = addressNeeded(channel)
    return routing.configured.has(channel) && (address === null || addresses[address] !== null)
  })
}

export const isForOperator = (kind: Kind): boolean => kind === 'delivery-failed' || kind === 'alert'

export function addressesOf(
  { kind, userid }: Recipient,
  contact: Addresses | undefined,
  { purchaser, operator }: Routing,
): Addresses {
  if (isForOperator(kind)) return operator
  return userid === null ? purchaser : (contact ?? nowhere)
}

const nowhere: Addresses = { email: null, webhook: null, phone: null }

function orderOf(
  { kind, userid }: Recipient,
  contact: Preferences | undefined,
  { customers, purchaser, operator }: Routing,
): ChannelName[] {
  if (isForOperator(kind)) return operator.channels
  if (userid === null) return purchaser.channels
  return contact?.channels ?? customers.byKind[kind] ?? customers.channels
}

/**
 * @returns the next channel after `refused`, if there is one. There is none for a copy in the chat, nor for operators, who are
 *   notified over all of their channels anyway.
 */
export function fallbackOf(
  recipient: Recipient,
  contact: Preferences,
  refused: ChannelName[],
  routing: Routing,
): ChannelName | undefined {
  if (refused.includes('chat') || isForOperator(recipient.kind)) return undefined
  return routeOf(recipient, contact, routing).find((it) => !refused.includes(it))
}

/** @param configured the channels that are open. */
export const routingOf = (
  config: NotifierConfig & Pick<Config, 'libraryTimezone' | 'defaultLocale'>,
  configured: Iterable<ChannelName>,
): Routing => ({
  configured: new Set(configured),
  customers: config.customerChannels,
  purchaser: { ...nowhere, email: config.purchaserEmail ?? null, channels: config.purchaserChannels },
  operator: {
    ...nowhere,
    email: config.operatorEmail ?? null,
    phone: config.operatorPhone ?? null,
    channels: config.operatorChannels,
  },
  locale: config.defaultLocale,
  timeZone: config.libraryTimezone,
})
