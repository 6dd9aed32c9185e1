/**
 * Tells by a JSON POST: to the customer's own webhook, or to the one that hears everything (`chat`).
 *
 * A customer's webhook is an address that a stranger gave us. It is called by https on a public address only, follows
 * no redirect, has little time, and is read no further than its status and 64 KiB.
 */
import * as http from 'node:http'
import * as https from 'node:https'
import { isIP } from 'node:net'
import type { Channel, DueNotice, Outcome } from '../delivery.ts'
import { writeMessage } from '../templates/message.ts'
import { Breaker, type BreakerLimits } from './breaker.ts'
import { PrivateAddressError, resolveHost } from './public-address.ts'

const callLimitMs = 5_000
const answerBytesMax = 64 * 1024
/** Hosts of customers whose health is remembered. */
const hostsMax = 1_000

export type WebhookOptions = {
  /** The longest that one call may take. */
  limitMs?: number
  breaker?: BreakerLimits
}

/** @param allowPrivate for development and tests: http and private addresses too. */
export function webhookChannel({
  allowPrivate,
  limitMs = callLimitMs,
  breaker,
}: WebhookOptions & { allowPrivate: boolean }): Channel {
  const caller = new Caller(allowPrivate, limitMs)
  const hosts = new Hosts(breaker)
  return {
    name: 'webhook',
    capacity: 64,
    async deliver(notice) {
      const url = URL.parse(notice.webhook ?? '')
      if (!url) return { type: 'failed', error: 'no webhook is known any more' }
      if (url.protocol !== 'https:' && !allowPrivate)
        return { type: 'failed', error: 'the webhook is not https' }
      return hosts.of(url.host).run(() => caller.post(url, notice))
    },
    close: () => caller.close(),
  }
}

/** @param url the operator's own choice, so it may be anywhere. */
export function chatChannel({
  url,
  limitMs = callLimitMs,
  breaker,
}: WebhookOptions & { url: string }): Channel {
  const caller = new Caller(true, limitMs)
  const host = new Breaker(breaker)
  return {
    name: 'chat',
    capacity: 16,
    restMs: () => host.restMs,
    deliver: (notice) => host.run(() => caller.post(new URL(url), notice)),
    close: () => caller.close(),
  }
}

/** One dead host must not be waited for by the customers of the others. */
class Hosts {
  readonly #breakers = new Map<string, Breaker>()
  readonly #limits: BreakerLimits | undefined

  constructor(limits: BreakerLimits | undefined) {
    this.#limits = limits
  }

  of(host: string): Breaker {
    let breaker = this.#breakers.get(host)
    if (breaker) return breaker
    const [oldest] = this.#breakers.keys()
    if (this.#breakers.size >= hostsMax) this.#breakers.delete(oldest!)
    breaker = new Breaker(this.#limits)
    this.#breakers.set(host, breaker)
    return breaker
  }
}

/** Makes the calls, over connections of its own. */
class Caller {
  readonly #http = new http.Agent({ keepAlive: true })
  readonly #https = new https.Agent({ keepAlive: true })
  readonly #allowPrivate: boolean
  readonly #limitMs: number

  constructor(allowPrivate: boolean, limitMs: number) {
    this.#allowPrivate = allowPrivate
    this.#limitMs = limitMs
  }

  async post(url: URL, notice: DueNotice): Promise<Outcome> {
    const signal = AbortSignal.timeout(this.#limitMs)
    try {
      const address = await untilAborted(resolveHost(url.hostname, this.#allowPrivate), signal)
      return outcomeOf(await untilAborted(this.#call(url, address, notice, signal), signal))
    } catch (error) {
      if (error instanceof PrivateAddressError) return { type: 'failed', error: error.message }
      const { code, name } = error as Error & { code?: unknown }
      const reason = typeof code === 'string' ? code : name
      const late = signal.aborted ? `no answer within ${this.#limitMs} ms` : reason
      return { type: 'retry', error: `Cannot call the webhook: ${late}` }
    }
  }

  close(): void {
    this.#http.destroy()
    this.#https.destroy()
  }

  /** @returns the status. Connects to `address`, while name and certificate are those of the URL's host. */
  #call(url: URL, address: string, notice: DueNotice, signal: AbortSignal): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    const body = Buffer.from(JSON.stringify(bodyOf(notice)))
    const options = {
      method: 'POST',
      host: address,
      path: url.pathname + url.search,
      headers: headersOf(url, notice, body.length),
    }
    const outgoing =
      url.protocol === 'https:'
        ? https.request({ ...options, agent: this.#https, port: url.port || 443, servername: nameOf(url) })
        : http.request({ ...options, agent: this.#http, port: url.port || 80 })
    outgoing.on('error', reject)
    // By hand: Deno does not heed a signal among the options while it waits for the answer.
    const abort = () => outgoing.destroy()
    signal.addEventListener('abort', abort, { once: true })
    outgoing.on('close', () => signal.removeEventListener('abort', abort))
    outgoing.on('response', (incoming) => {
      resolve(incoming.statusCode ?? 0)
      readSome(incoming)
    })
    outgoing.end(body)
    return promise
  }
}

/** Reads the rest of an answer, so that its connection can be used again; a long one costs the connection. */
function readSome(incoming: http.IncomingMessage): void {
  let bytes = 0
  incoming.on('error', () => {})
  incoming.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > answerBytesMax) incoming.destroy()
  })
}

const headersOf = (url: URL, notice: DueNotice, length: number) => ({
  host: url.host,
  'content-type': 'application/json',
  'content-length': length,
  'user-agent': 'bookreservation',
  'idempotency-key': notice.noticeid,
  'webhook-id': notice.noticeid,
  ...(notice.traceparent ? { traceparent: notice.traceparent } : {}),
})

/** TLS knows names; for an address there is none to send. */
const nameOf = (url: URL) => (isIP(url.hostname.replace(/^\[(.*)\]$/, '$1')) ? '' : url.hostname)

/** A client error is final: the same call will get it again. Save those that say "later". */
function outcomeOf(status: number): Outcome {
  if (status >= 200 && status < 300) return { type: 'sent' }
  const error = `The webhook answered ${status}`
  const final = status >= 400 && status < 500 && status !== 408 && status !== 429
  return { type: final ? 'failed' : 'retry', error }
}

const bodyOf = (notice: DueNotice) => {
  const { title, text } = writeMessage(notice, notice.locale)
  return {
    noticeid: notice.noticeid,
    kind: notice.kind,
    bookid: notice.bookid,
    userid: notice.userid,
    reservationid: notice.reservationid,
    reason: notice.reason,
    shortage: notice.shortage,
    createdAt: notice.createdAt,
    // What chat servers show.
    text: `${title}\n\n${text}`,
  }
}

/** What cannot be interrupted, such as the look-up of a name, is left behind. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const stop = () => reject(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
