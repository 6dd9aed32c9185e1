/**
 * Over which channels a notice goes to the one whom it is for. Pure.
 *
 * A customer is told over one channel: the first of the order that she chose, or else of the operators', for which she
 * left an address. Those behind it are for when one before refuses for good. So is the purchaser. Operators are told
 * over all of theirs at once, since a channel may be what an alert is about.
 */
import { addressNeeded, type ChannelName } from '../channels/all.ts'
import type { NotifierConfig } from '../config.ts'
import type { Addresses, Kind, Subject } from './notice.ts'

/** Somebody of the shop. */
export type Party = Addresses & { channels: ChannelName[] }

export type Routing = {
  /** The channels that there are, beside the console. */
  configured: ReadonlySet<ChannelName>
  /** The order for customers who chose none, for every kind and for some. */
  customers: { channels: ChannelName[]; byKind: { [kind in Kind]?: ChannelName[] | undefined } }
  purchaser: Party
  operator: Party
  /** For whoever left no locale. */
  locale: string
}

type Told = Pick<Subject, 'kind' | 'userid'>
type Known = Addresses & { channels: ChannelName[] | null }

/** @returns every channel by which the notice can go to the one whom it is for, in order. */
export function routeOf(told: Told, contact: Known | undefined, routing: Routing): ChannelName[] {
  const addresses = addressesOf(told, contact, routing)
  return orderOf(told, contact, routing).filter((channel) => {
    const address = addressNeeded(channel)
    return routing.configured.has(channel) && (address === null || addresses[address] !== null)
  })
}

export const isForOperator = (kind: Kind): boolean => kind === 'delivery-failed' || kind === 'alert'

/** @returns the addresses of the one whom the notice is for. */
export function addressesOf(
  { kind, userid }: Told,
  contact: Addresses | undefined,
  { purchaser, operator }: Routing,
): Addresses {
  if (isForOperator(kind)) return operator
  return userid === null ? purchaser : (contact ?? nowhere)
}

const nowhere: Addresses = { email: null, webhook: null, phone: null }

function orderOf(
  { kind, userid }: Told,
  contact: Known | undefined,
  { customers, purchaser, operator }: Routing,
): ChannelName[] {
  if (isForOperator(kind)) return operator.channels
  if (userid === null) return purchaser.channels
  return contact?.channels ?? customers.byKind[kind] ?? customers.channels
}

/** @returns where a notice goes that `refused` do not take, if anywhere. Chat hears a copy, and operators are told by all anyway. */
export function fallbackOf(
  told: Told,
  contact: Known,
  refused: ChannelName[],
  routing: Routing,
): ChannelName | undefined {
  if (refused.includes('chat') || isForOperator(told.kind)) return undefined
  return routeOf(told, contact, routing).find((it) => !refused.includes(it))
}

/** @param configured the channels that are open. */
export const routingOf = (config: NotifierConfig, configured: Iterable<ChannelName>): Routing => ({
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
})
