/**
 * The two sides of an exchange as Node has them (`c.env`). What a Request of Hono's adapter would first make objects for, such
 * as headers or a signal, is at hand there. On Deno there are none, and its Request answers the same.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Context } from 'hono'

type Exchange = { incoming?: IncomingMessage; outgoing?: ServerResponse } | undefined

export const incomingOf = (c: Context): IncomingMessage | undefined => (c.env as Exchange)?.incoming

export const outgoingOf = (c: Context): ServerResponse | undefined => (c.env as Exchange)?.outgoing

/** @param name in lower case, and of none of which Node drops the second: such as `content-type`. */
export function headerOf(c: Context, name: string): string | undefined {
  const incoming = incomingOf(c)
  return incoming ? (incoming.headers[name] as string | undefined) : c.req.header(name)
}

/** @returns of several all, as a list, which is no type. */
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
