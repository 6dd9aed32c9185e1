/** A client of a service that checks every response against the service's OpenAPI document. */
import type { Contract } from './contract.ts'

export type Answer<Body> = { status: number; headers: Headers; body: Body; tookMs: number }

export type Ask = {
  json?: unknown
  /** Sent as it is, with `application/json` unless a header says otherwise. */
  raw?: string | Uint8Array | ReadableStream<Uint8Array>
  headers?: Record<string, string>
  timeoutMs?: number
}

export class Client {
  readonly #url: () => string
  readonly #contract: () => Contract

  constructor(url: () => string, contract: () => Contract) {
    this.#url = url
    this.#contract = contract
  }

  get url(): string {
    return this.#url()
  }

  get contract(): Contract {
    return this.#contract()
  }

  get = <Body>(path: string, ask?: Ask) => this.ask<Body>('GET', path, ask)
  post = <Body>(path: string, json?: unknown, ask?: Ask) => this.ask<Body>('POST', path, { json, ...ask })
  put = <Body>(path: string, json?: unknown, ask?: Ask) => this.ask<Body>('PUT', path, { json, ...ask })
  patch = <Body>(path: string, json?: unknown, ask?: Ask) => this.ask<Body>('PATCH', path, { json, ...ask })

  /**
   * One request. Throws when the connection breaks, or when there is no response within `timeoutMs` (35 s, more than
   * the longest wait a client may request). Every response is checked against the document.
   */
  async ask<Body>(method: string, path: string, ask: Ask = {}): Promise<Answer<Body>> {
    const started = performance.now()
    const response = await this.fetch(method, path, ask)
    const contentType = (response.headers.get('content-type') ?? '').split(';')[0]!.trim()
    const text = await response.text()
    const body: unknown = /[/+]json$/.test(contentType) ? JSON.parse(text) : text
    const tookMs = performance.now() - started
    checkAdvice(`${method} ${path} answered ${response.status}`, response)
    if (method !== 'HEAD')
      this.#contract().check(method, path, { status: response.status, contentType, body })
    return { status: response.status, headers: response.headers, body: body as Body, tookMs }
  }

  /** The raw response, unread and unchecked, for streams. */
  fetch(
    method: string,
    path: string,
    { json, raw, headers = {}, timeoutMs = 35_000 }: Ask = {},
  ): Promise<Response> {
    const body = raw ?? (json === undefined ? undefined : JSON.stringify(json))
    return fetch(`${this.#url()}${path}`, {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: body as BodyInit, duplex: 'half' }),
      signal: AbortSignal.timeout(timeoutMs),
    } as RequestInit)
  }
}

/** Some statuses need a header that says what to do next. */
function checkAdvice(where: string, { status, headers }: Response): void {
  const needed = status === 503 ? 'retry-after' : status === 405 ? 'allow' : undefined
  if (needed && !headers.get(needed)) throw new Error(`${where} without ${needed}`)
}
