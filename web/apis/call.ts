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
import { withQuery } from '../address.ts'

/** An operation, with what the pages send and read. Each is held against the service's document in `openapi/`. */
export type Operation = {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** With parameters as in `/books/{bookid}`. */
  path: string
  /** Names of the query parameters. */
  query?: readonly string[]
  body?: z.ZodType
  /** `z.undefined()` for an answer without a body. */
  answer: z.ZodType
  /** Whether it reads what everyone may see. Then the pages call it as themselves. */
  forEveryone?: boolean
  /** How long the service may wait for a decision, or until an effect is committed, in seconds. */
  waitS?: number
}

/** @returns headers that say who calls; undefined without any. */
export type Credentials = (operation: Operation) => Promise<Record<string, string>> | undefined

type ParamsOf<Path> = Path extends `${string}{${infer Name}}${infer Rest}` ? Name | ParamsOf<Rest> : never
type QueryOf<Of> = Of extends { query: readonly (infer Name extends string)[] } ? Name : never

/** The parameters of a call's path, those of its query (undefined and empty ones are left out), and its body. */
export type Ask<Of extends Operation> = Record<ParamsOf<Of['path']>, string> &
  Partial<Record<QueryOf<Of>, string | number | undefined>> &
  (Of extends { body: infer Body extends z.ZodType } ? { body: z.input<Body> } : unknown) & {
    /** Makes a POST have one effect, however often it is sent. */
    key?: string
  }
type Asked = Record<string, unknown> & { body?: object; key?: string }

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
class StreamEnded extends ApiDown {
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

/** @param Operations by their `operationId`. */
export class Api<Operations extends Readonly<Record<string, Operation>>> {
  readonly name: ServiceName
  readonly #url: string
  readonly #operations: Operations
  readonly #log: Log
  readonly #credentials: Credentials
  #quietUntil = 0

  constructor(
    name: ServiceName,
    url: string,
    operations: Operations,
    log: Log,
    credentials: Credentials = () => undefined,
  ) {
    this.name = name
    this.#url = url
    this.#operations = operations
    this.#log = log
    this.#credentials = credentials
  }

  /** @throws {ApiDown} @throws {LoginMissing} @throws {NotAllowed} @throws {TooMany} */
  async call<Name extends keyof Operations>(
    name: Name,
    ask: Ask<Operations[Name]>,
  ): Promise<Answer<z.output<Operations[Name]['answer']>>> {
    const operation = this.#operations[name]!
    const response = await this.#send(operation, ask)
    if (response.status === 401) throw this.#unknown(operation, response)
    if (response.status === 403) throw new NotAllowed(`${operation.method} ${operation.path}`)
    if (response.status === 429) throw new TooMany(`${operation.method} ${operation.path}`)
    try {
      if (response.ok) {
        const body: unknown = response.status === 204 ? undefined : await response.json()
        return { ok: true, body: operation.answer.parse(body) as z.output<Operations[Name]['answer']> }
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
  async read<Name extends keyof Operations>(
    name: Name,
    ask: Ask<Operations[Name]>,
  ): Promise<z.output<Operations[Name]['answer']> | undefined> {
    const answer = await this.call(name, ask)
    if (answer.ok) return answer.body
    const { status, title, detail } = answer.refusal
    // An id that cannot be one is a 400.
    if (status === 404 || status === 400) return undefined
    const { method, path } = this.#operations[name]!
    throw new Error(`${method} ${path} was refused: ${detail ?? title}`)
  }

  /**
   * Yields the events of a stream. It returns when the service says that there is nothing to follow.
   * @throws {ApiDown} when the stream breaks, ends or does not begin.
   */
  async *follow<Name extends keyof Operations>(
    name: Name,
    ask: Ask<Operations[Name]>,
    signal: AbortSignal,
  ): AsyncGenerator<z.output<Operations[Name]['answer']>> {
    const operation = this.#operations[name]!
    try {
      const response = await this.#fetch(operation, ask, signal)
      if (response.status === 204) return
      if (!response.ok || !response.body) throw new Error(`It answered ${response.status}`)
      const events = response.body
        .pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)
        .pipeThrough(new EventSourceParserStream())
      for await (const { data } of events)
        yield operation.answer.parse(JSON.parse(data)) as z.output<Operations[Name]['answer']>
    } catch (cause) {
      if (!signal.aborted) throw this.#down(operation, cause)
    }
    if (!signal.aborted) throw new StreamEnded(this.name, operation, undefined)
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

  async #send(operation: Operation, ask: Asked): Promise<Response> {
    const signal = AbortSignal.timeout(answerMs + (operation.waitS ?? 0) * 1_000)
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

  async #fetch(operation: Operation, { body, key, ...given }: Asked, signal: AbortSignal): Promise<Response> {
    const { method, path, query = [], waitS } = operation
    const filled = path.replaceAll(/\{(\w+)\}/g, (_, name) => encodeURIComponent(given[name] as string))
    const asked = query.filter((name) => given[name] !== '').map((name) => [name, given[name]])
    return await fetch(this.#url + withQuery(filled, Object.fromEntries(asked)), {
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
