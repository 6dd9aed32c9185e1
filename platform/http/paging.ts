/**
 * Collections: pages of items with links. Pages are cut by key, so inserts and deletes neither repeat nor skip an
 * item.
 */
import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { Problem } from './problem.ts'
import { reply } from './reply.ts'
import { fromUtf8 } from './utf8.ts'

const limitMax = 200

/** Merge into a route's query: `z.object({ ...pageQuery, userid: … })`. */
export const pageQuery = {
  limit: z
    .string()
    .regex(/^\d{1,3}$/, `must be a whole number from 1 to ${limitMax}`)
    .transform(Number)
    .pipe(z.int().min(1).max(limitMax))
    .default(50)
    .openapi({ type: 'integer', minimum: 1, maximum: limitMax, default: 50, example: 50 }),
  after: z.string().max(1_000).optional().describe('opaque: taken from `_links.next` of the previous page'),
}

/** @param key the sort key of the page's last item. */
export const encodeAfter = (key: string[]): string => Buffer.from(JSON.stringify(key)).toString('base64url')

/**
 * @param length how many strings the sort key has.
 * @throws {Problem} 400 when `after` did not come from this API.
 */
export function decodeAfter(after: string, length: number): string[] {
  try {
    const key = keySchema.length(length).parse(JSON.parse(fromUtf8(Buffer.from(after, 'base64url'))))
    if (key.every((part) => part.isWellFormed() && !part.includes('\0'))) return key
  } catch {
    // Every fault has the same answer.
  }
  throw foreignAfter()
}
const keySchema = z.array(z.string())

/** The key of a list that is sorted by UUID. @throws {Problem} 400 when `after` did not come from this API. */
export function uuidFrom(after: string): string {
  const parsed = z.uuid().safeParse(decodeAfter(after, 1)[0])
  if (!parsed.success) throw foreignAfter()
  return parsed.data
}

/**
 * The key of a list that is sorted by a whole number. @throws {Problem} 400 when `after` did not come from this API.
 */
export function integerFrom(after: string): number {
  const integer = Number(decodeAfter(after, 1)[0])
  if (!Number.isSafeInteger(integer)) throw foreignAfter()
  return integer
}

/** A day, within the years that Postgres and every client can read. */
export const dateSchema = z.iso
  .date('must be a date, such as 2026-12-25')
  .refine((date) => date >= '2000' && date < '3000', 'must be from 2000-01-01 to 2999-12-31')
  .openapi({ example: '2026-12-25' })

/** An instant, in any offset, within the same years. */
export const instantSchema = z.iso
  .datetime({ offset: true })
  .refine((at) => !(Date.parse(at) >= Date.UTC(3000, 0, 1)), 'must be before the year 3000')

/** The key of a list that is sorted by date. @throws {Problem} 400 when `after` did not come from this API. */
export function dateFrom(after: string): string {
  const parsed = dateSchema.safeParse(decodeAfter(after, 1)[0])
  if (!parsed.success) throw foreignAfter()
  return parsed.data
}

/** `2026-11-24 02:40:10.990123+00`, behind the date. */
const timeOfDay = /^ (?:[01]\d|2[0-3])(?::[0-5]\d){2}(?:\.\d{1,6})?[+-](?:0\d|1[0-5])(?::[0-5]\d){0,2}$/

/**
 * The key of a list that is sorted by a time, as Postgres writes it, and by a text.
 * @throws {Problem} 400 when `after` did not come from this API.
 */
export function timeKeyFrom(after: string): [at: string, text: string] {
  const [at, text] = decodeAfter(after, 2) as [string, string]
  if (!dateSchema.safeParse(at.slice(0, 10)).success || !timeOfDay.test(at.slice(10))) throw foreignAfter()
  return [at, text]
}

/** The same of a list that is sorted by a time and a UUID. */
export function timeAndUuidFrom(after: string): [at: string, id: string] {
  const [at, id] = timeKeyFrom(after)
  if (!z.uuid().safeParse(id).success) throw foreignAfter()
  return [at, id]
}

/** For a key that cannot have come from this API. */
export const foreignAfter = () =>
  new Problem('invalid-input', {
    errors: [{ parameter: 'after', detail: 'must come from _links.next of an earlier page' }],
  })

const linkSchema = z.object({ href: z.string() })
export type Link = z.infer<typeof linkSchema>

/** `_links` of a resource. */
export const selfSchema = z.object({ self: linkSchema })
export const selfLink = (href: string): { self: Link } => ({ self: { href } })

export type Collection<Name extends string, Item> = {
  _embedded: { [K in Name]: Item[] }
  _links: { self: Link; next?: Link }
}

/** The body of a collection. `next` keeps the request's other query parameters. */
export function collection<Name extends string, Item>(
  name: Name,
  c: Context,
  items: Item[],
  nextAfter?: string,
): Collection<Name, Item> {
  const url = new URL(c.req.url)
  const self = { href: url.pathname + url.search }
  const _embedded = { [name]: items } as { [K in Name]: Item[] }
  if (nextAfter === undefined) return { _embedded, _links: { self } }
  url.searchParams.set('after', nextAfter)
  return { _embedded, _links: { self, next: { href: url.pathname + url.search } } }
}

export function collectionSchema<Name extends string, Item extends z.ZodType>(name: Name, item: Item) {
  return z.object({
    _embedded: z.object({ [name]: z.array(item) } as { [K in Name]: z.ZodArray<Item> }),
    _links: z.object({ self: linkSchema, next: linkSchema.optional() }),
  })
}

/**
 * The body of a page from a query that read one row more than the page holds.
 * @param rows more than `limit` when there is a next page.
 * @param keyOf the sort key of a row.
 */
export function pageOf<Name extends string, Row, Item>(
  c: Context,
  name: Name,
  rows: Row[],
  limit: number,
  keyOf: (row: Row) => string[],
  toItem: (row: Row) => Item,
): Collection<Name, Item> {
  const shown = rows.slice(0, limit)
  const nextAfter = rows.length > limit ? encodeAfter(keyOf(shown.at(-1)!)) : undefined
  return collection(name, c, shown.map(toItem), nextAfter)
}

/** Answers with the page of `pageOf`. */
export const replyPage = <Name extends string, Row, Item>(
  ...page: Parameters<typeof pageOf<Name, Row, Item>>
) => reply(200, pageOf(...page))
