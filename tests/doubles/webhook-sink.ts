/** A receiver of chat webhooks that records every call, and answers as the test configures. */
import { once } from 'node:events'
import {
  createServer,
  type IncomingHttpHeaders,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Certificate } from './certificate.ts'

export type Hook = {
  path: string
  headers: IncomingHttpHeaders
  /** The raw body. */
  raw: string
  body: Record<string, unknown>
}
export type Answering = (hook: Hook, response: ServerResponse) => void

const accept: Answering = (_, response) => response.writeHead(204).end()

export class WebhookSink implements AsyncDisposable {
  readonly hooks: Hook[] = []
  answer: Answering = accept
  /** How many connections were made so far. */
  connections = 0
  readonly #server: Server
  readonly #protocol: string

  private constructor(certificate: Certificate | undefined) {
    this.#protocol = certificate ? 'https' : 'http'
    const create = certificate
      ? (listener: RequestListener) =>
          createTlsServer({ key: certificate.key, cert: certificate.cert }, listener)
      : createServer
    this.#server = create(async (request, response) => {
      const raw = await text(request).catch(() => undefined)
      if (raw === undefined) return
      const hook = { path: request.url ?? '/', headers: request.headers, raw, body: JSON.parse(raw) }
      this.hooks.push(hook)
      this.answer(hook, response)
    })
    this.#server.on('connection', () => this.connections++)
  }

  /** @param certificate for https. */
  static async start(certificate?: Certificate): Promise<WebhookSink> {
    const sink = new WebhookSink(certificate)
    sink.#server.listen(0, '127.0.0.1')
    await once(sink.#server, 'listening')
    return sink
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `${this.#protocol}://127.0.0.1:${this.port}/hook`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
