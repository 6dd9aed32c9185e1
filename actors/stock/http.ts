/** The stock manager's HTTP API. */
import { z } from '@hono/zod-openapi'
import type { About, App } from '../../platform/http/app.ts'
import { replyTagged, taggedAnswers, tagHeader } from '../../platform/http/etag.ts'
import {
  decodeAfter,
  integerFrom,
  pageOf,
  pageQuery,
  replyPage,
  selfLink,
  selfSchema,
} from '../../platform/http/paging.ts'
import { Problem, problemResponses } from '../../platform/http/problem.ts'
import type { Reads } from '../../platform/http/reads.ts'
import { jsonHeaders, reply } from '../../platform/http/reply.ts'
import { jsonAnswer, jsonBody, pageAnswer, routesOf } from '../../platform/http/route.ts'
import { type Audit, everyone } from '../../platform/identity/audit.ts'
import { requireRole } from '../../platform/identity/caller.ts'
import { operatorTag } from '../../platform/operators/operators-http.ts'
import type { Sql } from '../../streams/postgres.ts'
import { idSchema, rulesSchema, stockEventSchema, textSchema } from '../messages.ts'
import type { CommandGateway } from './command-gateway.ts'
import { keyHeader, location, qty } from './contract.ts'
import * as examples from './examples.ts'
import * as queries from './queries.ts'
import { isOriginal, type Rules, rulesOf } from './rules.ts'

const routes = routesOf('stock manager')

export const about: Omit<About, 'service'> = {
  title: 'Stock',
  description: 'Receive copies of books, see stock and its movements, and order copies that are missing.',
  tags: {
    'stock manager': 'Copies that arrive, and what happened to them',
    desk: 'Copies that are set aside: the hold shelf, hand-over and return',
    purchaser: 'Copies that are missing, and purchases',
    ...operatorTag,
  },
}

const nullable = (schema: z.ZodType<number>, description: string) =>
  schema.nullable().describe(`${description}; null if the book has no rules`)

export const aboutBook = { bookid: z.string(), title: z.string(), author: z.string(), isbn: z.string() }
export const ofLife = {
  owned: nullable(z.int(), 'copies available, held and handed over'),
  waiting: nullable(z.int(), 'reservations that wait for a copy'),
  onOrder: nullable(z.int(), 'copies ordered and not yet received'),
}

export const stockSchema = z
  .object({
    ...aboutBook,
    qty: z.int().describe('copies available'),
    held: z.int().describe('copies held for reservations'),
    out: nullable(z.int(), 'copies handed over'),
    ...ofLife,
    rules: rulesSchema
      .required()
      .nullable()
      .describe('what the book allows: its own rules, and those of the installation'),
    ownRules: rulesSchema
      .nullable()
      .describe('those of its rules that replace the installation’s; null if there are none'),
    version: z.int(),
    _links: selfSchema,
  })
  .openapi('Stock')

const movementSchema = z
  .object({
    id: z.string(),
    type: z.enum(stockEventSchema.options.map(({ shape }) => shape.type.value)),
    time: z.iso.datetime(),
    data: z.record(z.string(), z.unknown()),
    by: z
      .object({ authtype: z.string(), authid: z.string() })
      .nullable()
      .describe('the caller who caused it; null if none did, or callers were not known'),
  })
  .openapi('Movement')

const receiptSchema = z
  .object({
    bookid: idSchema,
    qty,
    title: textSchema.optional(),
    author: textSchema.optional(),
    isbn: textSchema.optional(),
    purchaseid: z.uuid().optional().describe('the purchase that the copies belong to'),
  })
  .openapi('Receipt')

const receive = routes.post('/stocks', {
  operationId: 'receiveCopies',
  summary: 'Receive copies of a book',
  description: 'Answers once the copies are available. Each receipt adds to the stock.',
  access: ['stock-manager', 'purchaser', 'service'],
  request: {
    headers: keyHeader,
    body: jsonBody(receiptSchema, examples.receipt),
  },
  responses: {
    201: {
      ...jsonAnswer(stockSchema, 'The stock, including the new copies', examples.stock),
      headers: location,
    },
    ...problemResponses(422),
  },
})

const listStocks = routes.get('/stocks', {
  operationId: 'listStocks',
  summary: 'List stock',
  access: ['stock-manager', 'purchaser', 'operator'],
  request: { headers: tagHeader, query: z.object({ ...pageQuery }) },
  responses: taggedAnswers(
    pageAnswer({
      as: 'StockPage',
      name: 'stocks',
      item: stockSchema,
      description: 'A page, ordered by book id',
      example: examples.stock,
      path: '/stocks',
    }),
  ),
})

const getStock = routes.get('/stocks/{bookid}', {
  operationId: 'getStock',
  summary: 'Get the stock of a book',
  access: ['stock-manager', 'purchaser', 'operator', 'service'],
  request: { headers: tagHeader, params: z.object({ bookid: idSchema }) },
  responses: {
    ...taggedAnswers(jsonAnswer(stockSchema, 'The stock', examples.stock)),
    ...problemResponses(404),
  },
})

const listMovements = routes.get('/stocks/{bookid}/movements', {
  operationId: 'listMovements',
  summary: 'List the movements of a book',
  access: ['stock-manager', 'purchaser', 'operator'],
  request: { params: z.object({ bookid: idSchema }), query: z.object({ ...pageQuery }) },
  responses: {
    200: pageAnswer({
      as: 'MovementPage',
      name: 'movements',
      item: movementSchema,
      description: 'A page of its events, newest first',
      example: examples.movement,
      path: '/stocks/1/movements',
    }),
    ...problemResponses(404),
  },
})

export type StockHttpOptions = {
  app: App
  sql: Sql
  reads: Reads
  commands: CommandGateway
  /** The installation's rules. */
  defaults: Rules
  /** By Postgres's clock. */
  now(): Date
  /** Absent while identity is off. */
  audit?: Audit | undefined
}

export function mountStock({ app, sql, reads, commands, defaults, audit }: StockHttpOptions): void {
  const shown = (row: queries.StockRow) => toStock(row, defaults)

  app.addRoute(receive, async (c) => {
    const body = c.req.valid('json')
    if (body.purchaseid) await refuseForeignPurchase(body.purchaseid, body.bookid)
    else requireRole(c, 'Purchasers receive only copies of a purchase: name it.', 'stock-manager', 'service')
    await commands.execute(c, 'POST /stocks', body, () => ({ type: 'ReceiveCopies', ...body }))
    const stock = await queries.stock(sql, body.bookid)
    return reply(201, shown(stock!), { ...jsonHeaders, location: pathOf(body.bookid) })
  })

  app.addRoute(listStocks, async (c) => {
    const { limit, after } = c.req.valid('query')
    const rows = await reads.for(c, (sql) =>
      queries.stocks(sql, limit + 1, after && decodeAfter(after, 1)[0]),
    )
    return replyTagged(
      c,
      pageOf(c, 'stocks', rows, limit, (row) => [row.bookid], shown),
    )
  })

  app.addRoute(getStock, async (c) => {
    return replyTagged(c, shown(await received(sql, c.req.valid('param').bookid)))
  })

  app.addRoute(listMovements, async (c) => {
    const { bookid } = c.req.valid('param')
    const { limit, after } = c.req.valid('query')
    const before = after === undefined ? undefined : integerFrom(after)
    await audit?.note(c, { action: 'listMovements', subject: everyone, detail: bookid })
    const rows = await reads.for(c, (sql) => queries.movements(sql, bookid, limit + 1, before))
    if (rows.length === 0 && before === undefined) {
      throw new Problem('not-found', { detail: 'No movements for this book.' })
    }
    return replyPage(c, 'movements', rows, limit, (row) => [String(row.seq)], toMovement)
  })

  async function refuseForeignPurchase(purchaseid: string, bookid: string): Promise<void> {
    const purchase = await queries.purchase(sql, purchaseid)
    if (purchase?.bookid === bookid) return
    const detail = purchase ? 'must be a purchase of this book' : 'must be an existing purchase'
    throw new Problem('invalid-input', { errors: [{ pointer: '/purchaseid', detail }] })
  }
}

/** @throws {Problem} 404 */
export async function received(sql: Sql, bookid: string): Promise<queries.StockRow> {
  const row = await queries.stock(sql, bookid)
  if (!row) throw new Problem('not-found', { detail: 'No copy of this book has been received.' })
  return row
}

export const pathOf = (bookid: string) => `/stocks/${encodeURIComponent(bookid)}`

export function toStock(row: queries.StockRow, defaults: Rules) {
  const { bookid, title, author, isbn, available, held, out, waiting, on_order, version } = row
  const rules = rulesOf(defaults, row.rules)
  const life = isOriginal(rules)
    ? withoutRules
    : { out, owned: available + held + out, waiting, onOrder: on_order, rules }
  return {
    bookid,
    title,
    author,
    isbn,
    qty: available,
    held,
    ...life,
    ownRules: row.rules,
    version,
    _links: selfLink(pathOf(bookid)),
  }
}

const withoutRules = { out: null, owned: null, waiting: null, onOrder: null, rules: null }

const toMovement = ({ id, type, time, data, authtype, authid }: queries.MovementRow) => ({
  id,
  type,
  time: time.toISOString(),
  data,
  by: authtype !== null && authid !== null ? { authtype, authid } : null,
})
