/**
 * Node's request and response objects (`c.env`). They give headers and close events directly, for which the Request
 * of Hono's adapter would first build objects. On Deno they are absent: its Request is used, and the
 * client's address (`serve.ts`).
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Context } from 'hono'

type Exchange = { incoming?: IncomingMessage; outgoing?: ServerResponse; remoteAddress?: string } | undefined

export const incomingOf = (c: Context): IncomingMessage | undefined => (c.env as Exchange)?.incoming

export const outgoingOf = (c: Context): ServerResponse | undefined => (c.env as Exchange)?.outgoing

/** @param name in lower case, of a header for which Node joins duplicates instead of dropping them. */
export function headerOf(c: Context, name: string): string | undefined {
  const incoming = incomingOf(c)
  return incoming ? (incoming.headers[name] as string | undefined) : c.req.header(name)
}

/** @returns the header; several of them as a list, which is no valid type. */
export const contentTypeOf = (c: Context): string | undefined => everyHeaderOf(c, 'content-type')

/** @returns the header; several of them as a list, which is no valid credential. */
export const authorizationOf = (c: Context): string | undefined => everyHeaderOf(c, 'authorization')

/** For a header of which Node would keep the first and drop the others. @param name in lower case. */
function everyHeaderOf(c: Context, name: string): string | undefined {
  const rawHeaders = incomingOf(c)?.rawHeaders
  if (!rawHeaders) return c.req.header(name)
  let found: string | undefined
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const its = rawHeaders[i]!
    if (its.length !== name.length || its.toLowerCase() !== name) continue
    found = found === undefined ? rawHeaders[i + 1]! : `${found}, ${rawHeaders[i + 1]}`
  }
  return found
}

/** @returns the address that the connection came from. */
export const addressOf = (c: Context): string =>
  incomingOf(c)?.socket.remoteAddress ?? (c.env as Exchange)?.remoteAddress ?? 'unknown'
