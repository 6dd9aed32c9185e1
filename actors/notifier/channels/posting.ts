/** The common part of channels that post to webhooks. */
import type { Channel, DueNotice } from '../delivery/delivery.ts'
import type { Tried } from './breaker.ts'
import { type Answer, Caller, type CallerOptions } from './caller.ts'
import { type Limits, Receiver } from './receiver.ts'

/** The most hosts of customers whose state is remembered. */
const hostsMax = 1_000
/** A host's share of the channel until it has proved fast. */
const shareAtFirst = 1 / 8

/** A webhook that operators configured, which may be at any address. */
export type OperatorWebhook = Partial<Limits> & { url: string }

type Posting<Name extends string> = {
  name: Name
  /** The receiver, in words for the operator. */
  who: string
  limits: Limits
  addressOf(notice: DueNotice): string | null
  /** Whether there is only one webhook, or one per customer. */
  single: boolean
  /** Called for each attempt. May add to the URL. */
  write(notice: DueNotice, url: URL): { headers?: Record<string, string>; body: string }
  judge(answer: Answer): Promise<Tried> | Tried
}

export function postingChannel<Name extends string>(
  posting: Posting<Name>,
  options: CallerOptions & Partial<Limits>,
): Channel<Name> {
  const { name, who, addressOf, single, write, judge } = posting
  const { allowPrivate, lookup, ...some } = options
  const limits = { ...posting.limits, ...some }
  const caller = new Caller({ allowPrivate, lookup })
  const only = single ? new Receiver(limits) : undefined
  const hosts = new Hosts(limits)
  return {
    name,
    get capacity() {
      return only ? only.capacity : limits.concurrent
    },
    restMs: () => only?.restMs ?? 0,
    async deliver(notice) {
      const url = URL.parse(addressOf(notice) ?? '')
      if (!url) return { type: 'failed', error: `Cannot call ${who}: its address is no longer known` }
      const receiver = only ?? hosts.of(url.host)
      return receiver.run((signal) => {
        const { headers = {}, body } = write(notice, url)
        const { traceparent } = notice
        const traced = traceparent === null ? headers : { ...headers, traceparent }
        return caller.post(who, { url, headers: traced, body, signal }, judge)
      })
    },
    close: () => caller.close(),
  }
}

/** A channel to one webhook that operators configured. */
export const operatorChannel = <const Name extends string>(
  posting: Omit<Posting<Name>, 'addressOf' | 'single'>,
  { url, ...limits }: OperatorWebhook,
): Channel<Name> =>
  postingChannel({ ...posting, addressOf: () => url, single: true }, { allowPrivate: true, ...limits })

/** A receiver per host, so that a slow or dead host delays only its own customers. */
class Hosts {
  readonly #receivers = new Map<string, Receiver>()
  readonly #limits: Limits

  constructor(limits: Limits) {
    this.#limits = { ...limits, concurrentAtFirst: Math.ceil(limits.concurrent * shareAtFirst) }
  }

  of(host: string): Receiver {
    let receiver = this.#receivers.get(host)
    if (receiver) return receiver
    const [oldest] = this.#receivers.keys()
    if (this.#receivers.size >= hostsMax) this.#receivers.delete(oldest!)
    receiver = new Receiver(this.#limits)
    this.#receivers.set(host, receiver)
    return receiver
  }
}
