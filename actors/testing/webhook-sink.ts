/** A receiver of chat webhooks that keeps what it is sent, and answers as a test tells it to. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

export type Hook = { path: string; headers: IncomingHttpHeaders; body: Record<string, unknown> }
export type Answering = (hook: Hook, response: ServerResponse) => void

const accept: Answering = (_, response) => response.writeHead(204).end()

export class WebhookSink implements AsyncDisposable {
  readonly hooks: Hook[] = []
  answer: Answering = accept
  readonly #server: Server

  private constructor() {
    this.#server = createServer(async (request, response) => {
      const raw = await text(request).catch(() => undefined)
      if (raw === undefined) return
      const hook = { path: request.url ?? '/', headers: request.headers, body: JSON.parse(raw) }
      this.hooks.push(hook)
      this.answer(hook, response)
    })
  }

  static async start(): Promise<WebhookSink> {
    const sink = new WebhookSink()
    sink.#server.listen(0, '127.0.0.1')
    await once(sink.#server, 'listening')
    return sink
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
