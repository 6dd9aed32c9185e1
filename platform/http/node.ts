/**
 * Node's request and response objects (`c.env`). They give headers and close events directly, for which the Request
 * of Hono's adapter would first build objects. On Deno they are absent, and its Request is used.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Context } from 'hono'

type Exchange = { incoming?: IncomingMessage; outgoing?: ServerResponse } | undefined

export const incomingOf = (c: Context): IncomingMessage | undefined => (c.env as Exchange)?.incoming

export const outgoingOf = (c: Context): ServerResponse | undefined => (c.env as Exchange)?.outgoing

/** @param name in lower case, of a header for which Node joins duplicates instead of dropping them. */
export function headerOf(c: Context, name: string): string | undefined {
  const incoming = incomingOf(c)
  return incoming ? (incoming.headers[name] as string | undefined) : c.req.header(name)
}

/** @returns the header; several of them as a list, which is no valid type. */
export function contentTypeOf(c: Context): string | undefined {
  const rawHeaders = incomingOf(c)?.rawHeaders
  if (!rawHeaders) return c.req.header('content-type')
  let found: string | undefined
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    if (name.length !== 12 || name.toLowerCase() !== 'content-type') continue
    found = found === undefined ? rawHeaders[i + 1]! : `${found}, ${rawHeaders[i + 1]}`
  }
  return found
}
