/**
 * Makes calls to other people's servers over HTTP.
 *
 * A customer's webhook is an address that a stranger gave us, so unless private addresses are allowed:
 *
 *   X1. It is called by https, and its URL carries no credentials.
 *   X2. Its name is resolved once, every address it has must be public, and the one that was checked is the one
 *       connected to. Name and certificate stay those of the URL.
 *   X3. No redirect is followed.
 *   X4. A call has an end: its time, and 64 KiB of the answer.
 *   X5. Connections that wait for another call are few, and not for long, however many hosts there are and however long
 *       they would keep them.
 *
 * X3 to X5 hold for everybody.
 */
import * as http from 'node:http'
import * as https from 'node:https'
import { isIP } from 'node:net'
import { type Lookup, PrivateAddressError, resolveHost } from './public-address.ts'
import type { Tried } from './receiver.ts'
import { notPublic, webhookFault } from './webhook-url.ts'

const answerBytesMax = 64 * 1024
const connectionsPerHostMax = 32
/** Of connections that wait for the next call: to one host, and to all of them. */
const idlePerHostMax = 8
const idleMax = 128
/** After which an idle connection is closed, however long its host would keep it. */
const idleMs = 15_000

export type CallerOptions = {
  /** http and private addresses too: for servers that operators chose, and for development. */
  allowPrivate: boolean
  lookup?: Lookup
  /** How many connections wait for the next call, and for how long. */
  idle?: { max: number; ms: number }
}

export type Call = { url: URL; headers: Record<string, string>; body: string; signal: AbortSignal }

export type Answer = {
  status: number
  headers: http.IncomingHttpHeaders
  /** What came of the body within the limits. @throws when it broke off. */
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

  /** Posts, and has the answer judged. @param who is called, in words for the operator. */
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
    // Where there is no way to one, such as IPv6 without a route, nothing was sent yet.
    for (const address of addresses.slice(0, -1)) {
      call.signal.throwIfAborted()
      try {
        return await this.#send(call, address)
      } catch (error) {
        if (!noWay.has((error as NodeJS.ErrnoException).code ?? '')) throw error
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
    // By hand: Deno does not heed a signal among the options while it waits for the answer.
    const abort = () => outgoing.destroy()
    signal.addEventListener('abort', abort, { once: true })
    outgoing.on('close', () => signal.removeEventListener('abort', abort))
    outgoing.on('response', (incoming) => {
      const body = readBody(incoming)
      // Not everybody wants to know what became of it.
      body.catch(() => {})
      resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body })
    })
    outgoing.end(bytes)
    return promise
  }
}

const idleIn = ({ freeSockets }: http.Agent): number =>
  Object.values(freeSockets).reduce((sum, sockets) => sum + (sockets?.length ?? 0), 0)

/** Also frees the connection for the next call; a long answer costs the connection. */
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

const noWay = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT'])

/** TLS knows names; for an address there is none to send. */
const nameOf = (url: URL) => (isIP(url.hostname.replace(/^\[(.*)\]$/, '$1')) ? '' : url.hostname)

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
