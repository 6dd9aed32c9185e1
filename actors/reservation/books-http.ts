/** The book list, as customers read and search it. */
import { z } from '@hono/zod-openapi'
import { replyTagged, taggedAnswers, tagHeader } from '../../platform/http/etag.ts'
import { decodeAfter, pageOf, pageQuery } from '../../platform/http/paging.ts'
import { Problem, problemResponses } from '../../platform/http/problem.ts'
import { jsonAnswer, pageAnswer, routesOf } from '../../platform/http/route.ts'
import { idSchema } from '../messages.ts'
import { type BookRow, findBook, findBooks } from './books.ts'
import * as examples from './examples.ts'
import type { ReservationHttpOptions } from './http.ts'

const routes = routesOf('books')

const bookSchema = z
  .object({
    bookid: z.string(),
    title: z.string(),
    author: z.string(),
    isbn: z.string(),
    qty: z.int().describe('copies available at `updatedAt`'),
    owned: z.int().describe('copies in all: available, held for reservations, and handed over'),
    waiting: z.int().describe('reservations that wait for a copy'),
    version: z.int(),
    updatedAt: z.iso.datetime().describe('when stock last reported a change of the book'),
  })
  .openapi('Book')

const books = routes.get('/books', {
  operationId: 'listBooks',
  summary: 'List or search books',
  description:
    'The list follows stock’s events: it may lag slightly, but never goes back to an older state. `q` is a part of a book’s id, title, author or ISBN. The search ignores case, accents and strokes, character width, repeated spaces and hyphens in ISBNs.',
  access: 'anyone',
  request: {
    headers: tagHeader,
    query: z.object({
      ...pageQuery,
      q: z
        .string()
        .max(200)
        .refine((text) => text.isWellFormed() && !text.includes('\0'), 'must be well-formed text')
        .optional(),
      available: z.enum(['true', 'false']).optional(),
    }),
  },
  responses: taggedAnswers(
    pageAnswer({
      as: 'BookPage',
      name: 'books',
      item: bookSchema,
      description: 'A page, ordered by book id',
      example: examples.book,
      path: '/books',
    }),
  ),
})

const book = routes.get('/books/{bookid}', {
  operationId: 'getBook',
  summary: 'Get a book',
  access: 'anyone',
  request: { headers: tagHeader, params: z.object({ bookid: idSchema }) },
  responses: {
    ...taggedAnswers(jsonAnswer(bookSchema, 'The book', examples.book)),
    ...problemResponses(404),
  },
})

export function mountBooks({ app, sql, lists, searches }: ReservationHttpOptions): void {
  app.addRoute(books, async (c) => {
    const { limit, after, q, available } = c.req.valid('query')
    const query = {
      q,
      available: available && available === 'true',
      after: after === undefined ? '' : decodeAfter(after, 1)[0]!,
      limit: limit + 1,
    }
    const lane = q === undefined ? lists : searches
    const rows = await lane.for(c, (sql) => findBooks(sql, query))
    return replyTagged(
      c,
      pageOf(c, 'books', rows, limit, (row) => [row.bookid], toBook),
    )
  })

  app.addRoute(book, async (c) => {
    const row = await findBook(sql, c.req.valid('param').bookid)
    if (!row) throw new Problem('not-found', { detail: 'No book on the list has this id.' })
    return replyTagged(c, toBook(row))
  })
}

const toBook = ({ available, updated_at, ...book }: BookRow) => ({
  ...book,
  qty: available,
  updatedAt: updated_at.toISOString(),
})
