/**
 * Which answers a cache may keep.
 *
 * None by default: `reply` and every problem say `no-store`, because reservations, customers, notices and the attempts
 * to deliver them name people. Only what names no person, a book and its counts, is answered with `replyTagged`: a
 * cache may keep it, asks again each time, and gets a 304 if it is unchanged (RFC 9110, 13.1.2).
 *
 * The tag is a digest of the body, not the book's version: a database that was restored from a backup uses a version
 * again for other counts, and a new release may add a field.
 */
import { hash } from 'node:crypto'
import { z } from '@hono/zod-openapi'
import type { Context, TypedResponse } from 'hono'
import type { JSONParsed } from 'hono/utils/types'
import { headerOf } from './node.ts'
import { safeHeaders } from './reply.ts'

/** The request headers of a route that answers with `replyTagged`. */
export const tagHeader = z.object({
  'if-none-match': z.string().optional().openapi({
    description: 'The `ETag` of an earlier answer: 304 if it is unchanged',
    example: '"Wr8nPpkF-FC0Nw1oUC1lcA"',
  }),
})

const headers = z.object({ etag: z.string(), 'cache-control': z.literal('no-cache') })

/** The `responses` of such a route. */
export const taggedAnswers = <Answer extends object>(answer: Answer) => ({
  200: { ...answer, headers },
  304: { description: 'Unchanged since the answer with this `ETag`', headers },
})

export function replyTagged<Body extends object>(c: Context, body: Body) {
  const text = JSON.stringify(body)
  const etag = tagOf(text)
  const headers = { ...safeHeaders, 'cache-control': 'no-cache', etag }
  const response = isCurrent(c, etag)
    ? new Response(null, { status: 304, headers })
    : new Response(text, { status: 200, headers: { ...headers, 'content-type': 'application/json' } })
  return response as Response & TypedResponse<JSONParsed<Body>, 200, 'json'>
}

export const tagOf = (content: string | Uint8Array): string =>
  `"${hash('sha256', content, 'base64url').slice(0, 22)}"`

/** @returns whether the client has this content. A proxy that compresses an answer marks its tag as weak (`W/`). */
export function isCurrent(c: Context, etag: string): boolean {
  const given = headerOf(c, 'if-none-match')
  if (given === undefined) return false
  return given.split(',').some((tag) => ['*', etag].includes(tag.trim().replace(/^W\//, '')))
}
