/** JSON responses of handlers. */
import type { TypedResponse } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { JSONParsed } from 'hono/utils/types'

type Reply<Body, Status extends ContentfulStatusCode> = Response &
  TypedResponse<JSONParsed<Body>, Status, 'json'>

/**
 * Builds a JSON response. Costs a third of `c.json(body, status, headers)` when there is a header such as `location`,
 * because the headers stay a plain object all the way to the socket.
 * @param headers `jsonHeaders` and any additions, in lower case.
 */
export function reply<Body extends object, const Status extends ContentfulStatusCode>(
  status: Status,
  body: Body,
  headers: JsonHeaders = jsonHeaders,
): Reply<Body, Status> {
  return new Response(JSON.stringify(body), { status, headers }) as Reply<Body, Status>
}

/**
 * Headers of every response that is not only for browsers. `nosniff`: a browser trusts the content type, whatever
 * text a user put into the body. `no-store`: no cache keeps data that is personal or soon outdated (`etag.ts` has the
 * exceptions).
 */
export const safeHeaders = { 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' }

/** Deno 2.9 sends an answer of more than 512 bytes in two system calls, one for its head, unless it is chunked. */
const framing: Record<string, string> = 'Deno' in globalThis ? { 'transfer-encoding': 'chunked' } : {}

export const jsonHeaders = { 'content-type': 'application/json', ...safeHeaders, ...framing }
type JsonHeaders = typeof jsonHeaders & Record<string, string>
