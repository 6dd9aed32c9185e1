/** A trace collector: accepts OTLP over HTTP as JSON, and checks every request against the protocol. */
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { z } from 'zod'

const hex = (digits: number) => z.string().regex(new RegExp(`^[0-9a-f]{${digits}}$`))
const nanoseconds = z.string().regex(/^\d{19}$/)
const attributes = z.array(
  z.strictObject({
    key: z.string(),
    value: z.union([
      z.strictObject({ stringValue: z.string() }),
      z.strictObject({ intValue: z.number() }),
      z.strictObject({ doubleValue: z.number() }),
      z.strictObject({ boolValue: z.boolean() }),
    ]),
  }),
)
const spanSchema = z.object({
  traceId: hex(32),
  spanId: hex(16),
  parentSpanId: hex(16).optional(),
  name: z.string(),
  kind: z.int().min(1).max(5),
  startTimeUnixNano: nanoseconds,
  endTimeUnixNano: nanoseconds,
  attributes,
  links: z.array(z.object({ traceId: hex(32), spanId: hex(16) })),
  status: z.object({ code: z.int() }),
})
/** Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding */
const requestSchema = z.strictObject({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes }),
      scopeSpans: z.array(z.object({ spans: z.array(spanSchema) })),
    }),
  ),
})

export type CollectedSpan = Omit<z.infer<typeof spanSchema>, 'attributes'> & {
  service: string
  resource: Record<string, string | number | boolean>
  facts: Record<string, string | number | boolean>
}

export class Collector implements AsyncDisposable {
  readonly spans: CollectedSpan[] = []
  /** Invalid requests. */
  readonly faults: string[] = []
  readonly #server = createServer(async (request, response) => {
    if (this.deaf) return
    try {
      if (request.method !== 'POST' || request.url !== '/v1/traces')
        throw new Error(`${request.method} ${request.url}`)
      this.#take(requestSchema.parse(JSON.parse(await textOf(request))))
      response.setHeader('content-type', 'application/json').end('{}')
    } catch (error) {
      this.faults.push(String(error))
      response.writeHead(400).end()
    }
  })
  /** Accepts connections and never answers. */
  deaf = false

  static async open(): Promise<Collector> {
    const collector = new Collector()
    await once(collector.#server.listen(0, '127.0.0.1'), 'listening')
    return collector
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  #take({ resourceSpans }: z.infer<typeof requestSchema>): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      const about = factsOf(resource.attributes)
      const service = String(about['service.name'])
      for (const { spans } of scopeSpans)
        for (const { attributes, ...span } of spans)
          this.spans.push({ ...span, service, resource: about, facts: factsOf(attributes) })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

const factsOf = (given: z.infer<typeof attributes>) =>
  Object.fromEntries(given.map(({ key, value }) => [key, Object.values(value)[0]!]))

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}
