/** Validates a request against its route's schemas: input is parsed once, here, and trusted afterwards. */
import { setImmediate as pendingReads } from 'node:timers/promises'
import type { RouteConfig } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { z } from 'zod'
import { contentTypeOf, headerOf, incomingOf } from './node.ts'
import { Places } from './places.ts'
import { type Fault, Problem } from './problem.ts'
import { fromUtf8 } from './utf8.ts'

export const bodyBytesMax = 64 * 1024

/** Validates a request and stores the result for `c.req.valid(…)`. @throws {Problem} that lists every fault. */
export type Validate = (c: Context) => undefined | Promise<void>

export function validatorOf(request: RouteConfig['request']): Validate | undefined {
  const { query, params, headers } = request ?? {}
  const header = headers && asObject(headers)
  const json = jsonSchemaOf(request)
  if (!query && !params && !header && !json) return undefined
  // Schemas name headers in lower case, because zod does not convert names.
  const headerNames = header ? Object.keys(header.shape) : []

  return (c) => {
    const faults: Fault[] = []
    if (params || query) refuseBadEscapes(c.req.url)
    if (params) check(c, 'param', params as z.ZodType, c.req.param(), faults)
    if (query) check(c, 'query', query as z.ZodType, queryOf(c), faults)
    if (header) check(c, 'header', header, headersOf(c, headerNames), faults)
    if (!json) {
      refuse(faults)
      return
    }
    refuseTypes(c)
    return checkBody(c, json, faults)
  }
}

async function checkBody(c: Context, schema: z.ZodType, faults: Fault[]): Promise<void> {
  if (incomingOf(c)) await receiving()
  const bytes = receivedBody(c) ?? (await readBytes(c))
  check(c, 'json', schema, parseJson(bytes), faults)
  refuse(faults)
}

function refuse(faults: Fault[]): void {
  if (faults.length > 0) throw new Problem('invalid-input', { errors: faults })
}

function jsonSchemaOf(request: RouteConfig['request']): z.ZodType | undefined {
  const media = request?.body?.content['application/json']
  return media && 'schema' in media ? (media.schema as z.ZodType) : undefined
}

/** If `%ff` were passed on as it is, it would equal `%25ff`. */
function refuseBadEscapes(url: string): void {
  if (!url.includes('%')) return
  const [path, query = ''] = url.split('?', 2)
  refuseBadEscapesOf('path', path!)
  refuseBadEscapesOf('query', query)
}

function refuseBadEscapesOf(part: 'path' | 'query', text: string): void {
  try {
    decodeURIComponent(text)
  } catch (cause) {
    const detail = `The ${part} contains an escape that is not UTF-8. Write a percent sign as %25.`
    throw new Problem('invalid-input', { detail, cause })
  }
}

/** @returns whether a schema would accept the value and return it as it is. It may overlook some such values. */
type IsPlain = (value: unknown) => boolean
const plainOf = new WeakMap<z.ZodType, IsPlain>()

/** For input that arrives by the thousand: the schema is asked only about what is not plain. */
export function unlessPlain<Schema extends z.ZodType>(schema: Schema, isPlain: IsPlain): Schema {
  plainOf.set(schema, isPlain)
  return schema
}

type Target = 'json' | 'query' | 'param' | 'header'

function check(c: Context, target: Target, schema: z.ZodType, value: unknown, faults: Fault[]): void {
  if (plainOf.get(schema)?.(value)) {
    c.req.addValidatedData(target, value as object)
    return
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) {
    c.req.addValidatedData(target, parsed.data as object)
    return
  }
  for (const { path, message } of parsed.error.issues) {
    faults.push(
      target === 'json'
        ? { pointer: pointerOf(path), detail: message }
        : { parameter: path.join('.'), detail: message },
    )
  }
}

/** RFC 6901. */
const pointerOf = (path: PropertyKey[]): string =>
  path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')

/** Allows only UTF-8, and no `Content-Encoding`. */
function refuseEncodings(c: Context, type: string): void {
  const charset = charsetIn.exec(type)?.[1]?.toLowerCase() ?? 'utf-8'
  const encoding = headerOf(c, 'content-encoding')?.toLowerCase() || 'identity'
  if (charset !== 'utf-8' && charset !== 'utf8')
    throw new Problem('unsupported-media-type', { detail: `The charset must be UTF-8, not ${charset}.` })
  if (encoding !== 'identity')
    throw new Problem('unsupported-media-type', { detail: `The body must not be encoded (${encoding}).` })
}

const charsetIn = /;\s*charset\s*=\s*"?([^\s";]*)/i
const jsonType = /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i

function refuseTypes(c: Context): void {
  const type = contentTypeOf(c)
  if (type === undefined || !jsonType.test(type)) throw new Problem('unsupported-media-type')
  refuseEncodings(c, type)
}

function parseJson(bytes: Uint8Array | ArrayBuffer): unknown {
  const text = textOf(bytes)
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new Problem('malformed-json', { detail: (cause as Error).message, cause })
  }
}

function textOf(bytes: Uint8Array | ArrayBuffer): string {
  try {
    return fromUtf8(bytes)
  } catch (cause) {
    throw new Problem('malformed-json', { detail: 'The body is not UTF-8.', cause })
  }
}

/**
 * A partly received body stays in memory for up to 30 s. So the number of bodies that are large, or of unknown size,
 * is limited.
 */
const smallBytesMax = 8_192
export const largeBodiesMax = 500
const largeBodies = new Places({
  max: largeBodiesMax,
  refusal: 'Too many large request bodies at the moment.',
})

/** Node calls us when it has parsed the headers. It parses the rest of what it has received before this ends. */
function receiving(): Promise<void> {
  received ??= pendingReads().then(() => {
    received = undefined
  })
  return received
}
/** Shared by all requests of a moment. */
let received: Promise<void> | undefined

/** @returns a small body that arrived together with its headers, as most do: Node has it buffered already. */
function receivedBody(c: Context): Uint8Array | undefined {
  const incoming = incomingOf(c)
  if (!incoming?.complete) return undefined
  const { readableLength } = incoming
  const whole = readableLength > 0 && readableLength === Number(headerOf(c, 'content-length'))
  return whole && readableLength <= smallBytesMax ? incoming.read() : undefined
}

/** A body that announces too great a length is refused unread; one without a length is read up to the limit. */
function readBytes(c: Context): Promise<Uint8Array | ArrayBuffer> {
  const length = headerOf(c, 'content-length')
  if (length === undefined || headerOf(c, 'transfer-encoding') !== undefined)
    return readChunks(c.req.raw.body)
  if (Number(length) > bodyBytesMax) throw new Problem('body-too-large')
  return Number(length) > smallBytesMax ? readLarge(c) : c.req.arrayBuffer().catch(endedEarly)
}

async function readLarge(c: Context): Promise<ArrayBuffer> {
  using _ = largeBodies.take()
  return await c.req.arrayBuffer().catch(endedEarly)
}

async function readChunks(body: ReadableStream<Uint8Array> | null): Promise<Uint8Array> {
  using _ = largeBodies.take()
  const chunks: Uint8Array[] = []
  let size = 0
  const reader = body?.getReader()
  for (;;) {
    const chunk = (await reader?.read().catch(endedEarly))?.value
    if (!chunk) return Buffer.concat(chunks)
    chunks.push(chunk)
    size += chunk.byteLength
    if (size <= bodyBytesMax) continue
    reader?.cancel().catch(() => {})
    throw new Problem('body-too-large')
  }
}

function endedEarly(cause: unknown): never {
  throw new Problem('malformed-json', { detail: 'The body ended early.', cause })
}

/** A parameter given once is a string; given more often it is an array, which schemas of single values refuse. */
function queryOf(c: Context): Record<string, string | string[]> {
  const entries = Object.entries(c.req.queries())
  return Object.fromEntries(
    entries.map(([name, values]) => [name, values.length === 1 ? values[0]! : values]),
  )
}

function headersOf(c: Context, names: string[]): Record<string, string> {
  const found: Record<string, string> = {}
  for (const name of names) {
    const value = headerOf(c, name)
    if (value !== undefined) found[name] = value
  }
  return found
}

function asObject(schema: unknown): z.ZodObject {
  if (schema && typeof schema === 'object' && 'shape' in schema) return schema as z.ZodObject
  throw new TypeError('Cannot check headers: their schema must be one z.object')
}
