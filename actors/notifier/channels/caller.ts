/**
 * Calls other people's servers over HTTP.
 *
 * Customers' webhooks are untrusted URLs. Unless private addresses are allowed:
 *
 *   X1. Only https is used, and the URL has no credentials.
 *   X2. The host is resolved once, all of its addresses must be public, and the connection goes to the address that was
 *       checked. TLS still verifies the host of the URL.
 *
 * For all servers:
 *
 *   X3. Redirects are not followed.
 *   X4. A call ends when its time is up, or after 64 KiB of the answer.
 *   X5. Few idle connections are kept, and only briefly, however many hosts there are and however long they would keep them.
 */
import * as http from 'node:http'
import * as https from 'node:https'
import { isIP } from 'node:net'
import type { Tried } from './breaker.ts'
import { type Lookup, PrivateAddressError, resolveHost } from './public-address.ts'
import { notPublic, webhookFault } from './webhook-url.ts'

const answerBytesMax = 64 * 1024
const connectionsPerHostMax = 32
/** Idle connections, per host and in total. */
const idlePerHostMax = 8
const idleMax = 128
/** How long an idle connection is kept. */
const idleMs = 15_000

export type CallerOptions = {
  /** Also allows http and private addresses: for servers that operators configured, and for development. */
  allowPrivate: boolean
  lookup?: Lookup
  /** The most idle connections, and how long they are kept. */
  idle?: { max: number; ms: number }
}

export type Call = { url: URL; headers: Record<string, string>; body: string; signal: AbortSignal }

export type Answer = {
  status: number
  headers: http.IncomingHttpHeaders
  /** The body, up to the limit. Rejects when the answer breaks off. */
  body: Promise<string>
}

export class Caller {
  readonly #options: CallerOptions
  readonly #http: http.Agent
  readonly #https: https.Agent

  constructor(options: CallerOptions) {
    this.#options = options
    const { max, ms } = options.idle ?? { max: idleMax, ms: idleMs }
    const limits = {
      keepAlive: true,
      maxSockets: connectionsPerHostMax,
      maxFreeSockets: Math.min(idlePerHostMax, max),
      timeout: ms,
    }
    this.#http = new http.Agent(limits)
    this.#https = new https.Agent(limits)
    const agents = [this.#http, this.#https]
    for (const agent of agents) {
      const keep = agent.keepSocketAlive.bind(agent)
      agent.keepSocketAlive = (socket) => {
        if (agents.reduce((sum, it) => sum + idleIn(it), 0) >= max) return false
        return keep(socket) as unknown as boolean
      }
    }
  }

  /** Posts, and passes the answer to `judge`. @param who the receiver, in words for the operator. */
  async post(who: string, call: Call, judge: (answer: Answer) => Promise<Tried> | Tried): Promise<Tried> {
    const { signal } = call
    try {
      return await judge(await untilAborted(this.#post(call), signal))
    } catch (error) {
      if (error instanceof PrivateAddressError || error instanceof UrlError)
        return { outcome: { type: 'failed', error: `Cannot call ${who}: ${error.message}` } }
      const { code, name } = error as Error & { code?: unknown }
      const reason = signal.aborted ? 'no answer in time' : typeof code === 'string' ? code : name
      return { outcome: { type: 'retry', error: `Cannot call ${who}: ${reason}` }, down: true }
    }
  }

  close(): void {
    this.#http.destroy()
    this.#https.destroy()
  }

  async #post(call: Call): Promise<Answer> {
    const { allowPrivate, lookup } = this.#options
    checkUrl(call.url, allowPrivate)
    const addresses = await resolveHost(call.url.hostname, allowPrivate, lookup)
    // If an address is unreachable, such as IPv6 without a route, nothing was sent yet and the next one is tried.
    for (const address of addresses.slice(0, -1)) {
      call.signal.throwIfAborted()
      try {
        return await this.#send(call, address)
      } catch (error) {
        if (!unreachable.has((error as NodeJS.ErrnoException).code ?? '')) throw error
      }
    }
    call.signal.throwIfAborted()
    return await this.#send(call, addresses.at(-1)!)
  }

  #send({ url, headers, body, signal }: Call, address: string): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    const bytes = Buffer.from(body)
    const options = {
      method: 'POST',
      host: address,
      path: url.pathname + url.search,
      headers: {
        host: url.host,
        'content-type': 'application/json',
        'content-length': bytes.length,
        'user-agent': 'bookreservation',
        ...headers,
      },
    }
    const outgoing =
      url.protocol === 'https:'
        ? https.request({ ...options, agent: this.#https, port: url.port || 443, servername: nameOf(url) })
        : http.request({ ...options, agent: this.#http, port: url.port || 80 })
    outgoing.on('error', reject)
    // Deno ignores `options.signal` while it waits for the answer.
    const abort = () => outgoing.destroy()
    signal.addEventListener('abort', abort, { once: true })
    outgoing.on('close', () => signal.removeEventListener('abort', abort))
    outgoing.on('response', (incoming) => {
      const body = readBody(incoming)
      // Some callers do not read the body.
      body.catch(() => {})
      resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body })
    })
    outgoing.end(bytes)
    return promise
  }
}

const idleIn = ({ freeSockets }: http.Agent): number =>
  Object.values(freeSockets).reduce((sum, sockets) => sum + (sockets?.length ?? 0), 0)

/** Reading to the end frees the connection for the next call. A longer answer closes it. */
function readBody(incoming: http.IncomingMessage): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const chunks: Buffer[] = []
  let bytes = 0
  const done = () => resolve(Buffer.concat(chunks).subarray(0, answerBytesMax).toString())
  incoming.on('error', reject)
  incoming.on('end', done)
  incoming.on('close', () => reject(new BrokenOffError()))
  incoming.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes <= answerBytesMax) return
    done()
    incoming.destroy()
  })
  return promise
}

class BrokenOffError extends Error {
  override name = 'BrokenOffError'
  readonly code = 'the answer broke off'
}

class UrlError extends Error {
  override name = 'UrlError'
}

function checkUrl(url: URL, allowPrivate: boolean): void {
  const fault = webhookFault(url, allowPrivate)
  if (fault === notPublic) throw new PrivateAddressError()
  if (fault !== undefined) throw new UrlError(fault)
}

const unreachable = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT'])

/** SNI carries names only, so none is sent for an address. */
const nameOf = (url: URL) => (isIP(url.hostname.replace(/^\[(.*)\]$/, '$1')) ? '' : url.hostname)

/** Stops waiting for work that cannot be interrupted, such as a DNS lookup. */
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
