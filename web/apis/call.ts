/**
 * Calls of the services' HTTP APIs.
 *
 * Each call may be sent twice: a GET changes nothing, a PUT and a PATCH say what shall be so, and a POST has a key. So a call whose
 * connection breaks is repeated once. A service that is down, slow or incomprehensible is one error, `ApiDown`, which a page shows
 * as a notice. A refusal is a value.
 */
import { EventSourceParserStream } from 'eventsource-parser/stream'
import { tryGetContext } from 'hono/context-storage'
import { z } from 'zod'
import type { ServiceName } from '../../platform/config.ts'
import { traceOf } from '../../platform/http/trace.ts'
import type { Log } from '../../platform/log.ts'

/** An operation, with what the pages send and read. Each is held against the service's document in `openapi/`. */
export type Operation<Answer extends z.ZodType = z.ZodType> = {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** With parameters as in `/books/{bookid}`. */
  path: string
  /** Names of the query parameters. */
  query?: readonly string[]
  body?: z.ZodType
  /** `z.undefined()` for an answer without a body. */
  answer: Answer
  /** Whether it reads what everyone may see. Then the pages call it as themselves. */
  forEveryone?: boolean
}

/** @returns headers that say who calls; undefined without any. */
export type Credentials = (operation: Operation) => Promise<Record<string, string>> | undefined

export type Ask = {
  params?: Record<string, string>
  /** Undefined and empty values are left out. */
  query?: Record<string, string | number | undefined>
  body?: object
  /** Makes a POST have one effect, however often it is sent. */
  key?: string
  /** How long the service may wait for a decision, in seconds. */
  waitS?: number
  signal?: AbortSignal
}

/** A reason why the service did not do it. */
export type Refusal = {
  status: number
  slug: string
  title: string
  detail: string | undefined
  errors: Fault[]
}
export type Fault = { pointer?: string | undefined; parameter?: string | undefined; detail: string }

export type Answer<Body> = { ok: true; body: Body } | { ok: false; refusal: Refusal }

/** The services answer within 2 seconds, with a 503 if need be. */
const answerMs = 2_500
/** Between two lines of the log about the same service. */
const quietMs = 10_000

export class ApiDown extends Error {
  override name = 'ApiDown'
  readonly api: ServiceName
  constructor(api: ServiceName, operation: Operation, cause: unknown) {
    super(`Cannot reach ${api}: ${operation.method} ${operation.path}`, { cause })
    this.api = api
  }
}

/** The service has stopped, the token of the call has expired, or all is over: the next attempt shows which. */
export class StreamEnded extends ApiDown {
  override name = 'StreamEnded'
}

/** The service wants to know who calls, and the pages do not know it. */
export class LoginMissing extends Error {
  override name = 'LoginMissing'
}

/** The service does not let this person do it. */
export class NotAllowed extends Error {
  override name = 'NotAllowed'
}

/** The person has sent too many requests. */
export class TooMany extends Error {
  override name = 'TooMany'
}

const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  detail: z.string().optional(),
  errors: z
    .array(z.object({ pointer: z.string().optional(), parameter: z.string().optional(), detail: z.string() }))
    .default([]),
})

export class Api {
  readonly name: ServiceName
  readonly #url: string
  readonly #log: Log
  readonly #credentials: Credentials
  #quietUntil = 0

  constructor(name: ServiceName, url: string, log: Log, credentials: Credentials = () => undefined) {
    this.name = name
    this.#url = url
    this.#log = log
    this.#credentials = credentials
  }

  /** @throws {ApiDown} @throws {LoginMissing} @throws {NotAllowed} @throws {TooMany} */
  async call<Body extends z.ZodType>(
    operation: Operation<Body>,
    ask: Ask = {},
  ): Promise<Answer<z.output<Body>>> {
    const response = await this.#send(operation, ask)
    if (response.status === 401) throw this.#unknown(operation, response)
    if (response.status === 403) throw new NotAllowed(`${operation.method} ${operation.path}`)
    if (response.status === 429) throw new TooMany(`${operation.method} ${operation.path}`)
    try {
      if (response.ok) {
        const body: unknown = response.status === 204 ? undefined : await response.json()
        return { ok: true, body: operation.answer.parse(body) }
      }
      const { type, title, detail, errors } = problemSchema.parse(await response.json())
      return {
        ok: false,
        refusal: { status: response.status, slug: type.split('/').at(-1)!, title, detail, errors },
      }
    } catch (cause) {
      throw this.#down(operation, cause)
    }
  }

  /** @returns undefined when there is no such thing. @throws {ApiDown} */
  async read<Body extends z.ZodType>(
    operation: Operation<Body>,
    ask: Ask = {},
  ): Promise<z.output<Body> | undefined> {
    const answer = await this.call(operation, ask)
    if (answer.ok) return answer.body
    const { status, title, detail } = answer.refusal
    // An id that cannot be one is a 400.
    if (status === 404 || status === 400) return undefined
    throw new Error(`${operation.method} ${operation.path} was refused: ${detail ?? title}`)
  }

  /**
   * Yields the events of a stream. It returns when the service says that there is nothing to follow.
   * @throws {ApiDown} when the stream breaks, ends or does not begin.
   */
  async *follow<Body extends z.ZodType>(
    operation: Operation<Body>,
    ask: Ask & { signal: AbortSignal },
  ): AsyncGenerator<z.output<Body>> {
    try {
      const response = await this.#fetch(operation, ask, ask.signal)
      if (response.status === 204) return
      if (!response.ok || !response.body) throw new Error(`It answered ${response.status}`)
      const events = response.body
        .pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)
        .pipeThrough(new EventSourceParserStream())
      for await (const { data } of events) yield operation.answer.parse(JSON.parse(data))
    } catch (cause) {
      if (!ask.signal.aborted) throw this.#down(operation, cause)
    }
    if (!ask.signal.aborted) throw new StreamEnded(this.name, operation, undefined)
  }

  /** A service that refuses a token of the pages has other settings, or has not read a new key yet. */
  #unknown(operation: Operation, { headers }: Response): Error {
    const reason = headers.get('www-authenticate') ?? ''
    return reason.includes('invalid_token')
      ? this.#down(
          operation,
          new Error('It does not accept the tokens of the pages: compare the TOKEN_ settings'),
        )
      : new LoginMissing(`${this.name} refuses calls without a token`)
  }

  /** While a service is down, every page meets it: one line in a while is enough. */
  #down(operation: Operation, cause: unknown): ApiDown {
    const error = new ApiDown(this.name, operation, cause)
    const now = performance.now()
    if (now >= this.#quietUntil) {
      this.#quietUntil = now + quietMs
      this.#log.warn({ api: this.name, err: error }, 'cannot reach a service')
    }
    return error
  }

  async #send(operation: Operation, ask: Ask): Promise<Response> {
    const limitMs = answerMs + (ask.waitS ?? 0) * 1_000
    const limit = AbortSignal.timeout(limitMs)
    const signal = ask.signal ? AbortSignal.any([ask.signal, limit]) : limit
    try {
      const response = await this.#fetch(operation, ask, signal).catch((error) => {
        signal.throwIfAborted()
        // The service has closed a connection that it kept open, or restarts.
        if (!(error instanceof TypeError)) throw error
        return this.#fetch(operation, ask, signal)
      })
      if (response.status < 500) return response
      await response.body?.cancel()
      throw new Error(`It answered ${response.status}`)
    } catch (cause) {
      throw this.#down(operation, cause)
    }
  }

  async #fetch(operation: Operation, ask: Ask, signal: AbortSignal): Promise<Response> {
    const { method, path, query = [] } = operation
    const { params = {}, body, key, waitS } = ask
    const filled = path.replaceAll(/\{(\w+)\}/g, (_, name) => encodeURIComponent(params[name]!))
    const search = new URLSearchParams()
    for (const name of query) if (ask.query?.[name]) search.set(name, String(ask.query[name]))
    const queried = search.size > 0 ? `${filled}?${search}` : filled
    return await fetch(`${this.#url}${queried}`, {
      method,
      headers: {
        ...(body && { 'content-type': 'application/json' }),
        ...(await this.#credentials(operation)),
        ...traceHeader(),
        ...(key && { 'idempotency-key': key }),
        ...(waitS && { prefer: `wait=${waitS}` }),
      },
      ...(body && { body: JSON.stringify(body) }),
      signal,
    })
  }
}

/** Makes the call a part of the trace of its page. */
function traceHeader(): { traceparent: string } | undefined {
  const c = tryGetContext()
  const traceparent = c && traceOf(c)
  return traceparent === undefined ? undefined : { traceparent }
}
