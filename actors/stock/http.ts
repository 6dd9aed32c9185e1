/** Stock's HTTP face: for the stock manager and the purchaser. */
import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { v7 as uuidv7 } from 'uuid'
import type { Envelope } from '../../streams/envelope.ts'
import type { Sql } from '../../streams/postgres.ts'
import type { Wakeup } from '../../streams/wakeup.ts'
import type { App } from '../http/app.ts'
import { claimKey, idempotencyHeader } from '../http/idempotency.ts'
import {
  collectionSchema,
  decodeAfter,
  integerFrom,
  page,
  pageQuery,
  selfLink,
  selfSchema,
  uuidFrom,
} from '../http/paging.ts'
import { Problem, problemResponses, Unavailable } from '../http/problem.ts'
import { traceOf } from '../http/trace.ts'
import { idSchema, qtySchema, type StockCommand, textSchema } from '../messages.ts'
import * as read from './read.ts'

/** How long a request waits for the actor. */
const answerWithinMs = 5_000

export type StockHttpOptions = {
  app: App
  sql: Sql
  /** Puts a command into its book's mailbox. @throws when Redis does not take it. */
  send(envelope: Envelope): Promise<void>
  /** Answers are ids of commands that have had their effect. */
  wakeup: Wakeup<string>
  now(): Date
  stopping: AbortSignal
}

/** Whole numbers, also in the decimal form that command-line clients send. */
const qty = z
  .union([
    z.int(),
    z
      .string()
      .regex(/^\d{1,15}$/, 'must be a whole number')
      .transform(Number),
  ])
  .pipe(qtySchema)
  .openapi({ example: 3 })

const stockSchema = z
  .object({
    bookid: z.string(),
    title: z.string(),
    author: z.string(),
    isbn: z.string(),
    qty: z.int().openapi({ description: 'copies available' }),
    held: z.int().openapi({ description: 'copies set aside for reservations' }),
    version: z.int(),
    _links: selfSchema,
  })
  .openapi('Stock')

const movementSchema = z
  .object({
    id: z.string(),
    type: z.string().openapi({ example: 'CopyReserved' }),
    time: z.iso.datetime(),
    data: z.record(z.string(), z.unknown()),
  })
  .openapi('Movement')

const requestSchema = z
  .object({
    bookid: z.string(),
    title: z.string(),
    shortage: z.int().openapi({ description: 'refused since copies were last ordered or arrived' }),
    requestedAt: z.iso.datetime(),
  })
  .openapi('PurchaseRequest')

const purchaseSchema = z
  .object({
    purchaseid: z.uuid(),
    bookid: z.string(),
    qty: z.int(),
    status: z.enum(['ordered', 'received']),
    orderedAt: z.iso.datetime(),
    receivedAt: z.iso.datetime().nullable(),
    _links: selfSchema,
  })
  .openapi('Purchase')

const json = <Schema extends z.ZodType>(schema: Schema) => ({
  content: { 'application/json': { schema } },
  required: true,
})
const ok = <Schema extends z.ZodType>(schema: Schema, description: string) => ({
  description,
  content: { 'application/json': { schema } },
})
const keyHeader = z.object({ 'idempotency-key': idempotencyHeader })
const location = z.object({ location: z.string() })

const receive = createRoute({
  method: 'post',
  path: '/stocks',
  summary: 'Copies of a book have arrived',
  description: 'Answers once the copies count. Another receipt of the same book adds to it.',
  tags: ['stock manager'],
  request: {
    headers: keyHeader,
    body: json(
      z.object({
        bookid: idSchema,
        qty,
        title: textSchema.optional(),
        author: textSchema.optional(),
        isbn: textSchema.optional(),
        purchaseid: z.uuid().optional().openapi({ description: 'the purchase that brought them' }),
      }),
    ),
  },
  responses: {
    201: { ...ok(stockSchema, 'The stock with the copies in it'), headers: location },
    ...problemResponses(422),
  },
})

const listStocks = createRoute({
  method: 'get',
  path: '/stocks',
  summary: 'The stock of every book',
  tags: ['stock manager'],
  request: { query: z.object({ ...pageQuery }) },
  responses: { 200: ok(collectionSchema('stocks', stockSchema), 'A page, in the order of book ids') },
})

const getStock = createRoute({
  method: 'get',
  path: '/stocks/{bookid}',
  summary: 'The stock of one book',
  tags: ['stock manager'],
  request: { params: z.object({ bookid: idSchema }) },
  responses: { 200: ok(stockSchema, 'The stock'), ...problemResponses(404) },
})

const listMovements = createRoute({
  method: 'get',
  path: '/stocks/{bookid}/movements',
  summary: 'What happened to a book',
  tags: ['stock manager'],
  request: { params: z.object({ bookid: idSchema }), query: z.object({ ...pageQuery }) },
  responses: {
    200: ok(collectionSchema('movements', movementSchema), 'Its events, newest first'),
    ...problemResponses(404),
  },
})

const listRequests = createRoute({
  method: 'get',
  path: '/purchase-requests',
  summary: 'Books that were asked for and are not there',
  tags: ['purchaser'],
  request: { query: z.object({ ...pageQuery }) },
  responses: {
    200: ok(collectionSchema('purchaseRequests', requestSchema), 'A page, in the order of book ids'),
  },
})

const order = createRoute({
  method: 'post',
  path: '/purchases',
  summary: 'Copies of a book are ordered',
  description: 'Closes the open request for the book. The copies count once they are received.',
  tags: ['purchaser'],
  request: { headers: keyHeader, body: json(z.object({ bookid: idSchema, qty: qty.pipe(z.int().min(1)) })) },
  responses: {
    201: { ...ok(purchaseSchema, 'The purchase'), headers: location },
    ...problemResponses(422),
  },
})

const listPurchases = createRoute({
  method: 'get',
  path: '/purchases',
  summary: 'Purchases',
  tags: ['purchaser'],
  request: { query: z.object({ ...pageQuery, bookid: idSchema.optional() }) },
  responses: { 200: ok(collectionSchema('purchases', purchaseSchema), 'A page, newest first') },
})

const getPurchase = createRoute({
  method: 'get',
  path: '/purchases/{purchaseid}',
  summary: 'One purchase',
  tags: ['purchaser'],
  request: { params: z.object({ purchaseid: z.uuid() }) },
  responses: { 200: ok(purchaseSchema, 'The purchase'), ...problemResponses(404) },
})

export function mountStock({ app, sql, send, wakeup, now, stopping }: StockHttpOptions): void {
  app.openapi(receive, async (c) => {
    const body = c.req.valid('json')
    if (body.purchaseid) await refuseForeignPurchase(body.purchaseid, body.bookid)
    const { key, id: commandid } = await keyOf(c, 'POST /stocks', body)
    await carryOut(c, key, { type: 'ReceiveCopies', commandid, ...body })
    const stock = await read.stock(sql, body.bookid)
    return c.json(toStock(stock!), 201, { location: `/stocks/${encodeURIComponent(body.bookid)}` })
  })

  app.openapi(listStocks, async (c) => {
    const { limit, after } = c.req.valid('query')
    const rows = await read.stocks(sql, limit + 1, after && decodeAfter(after, 1)[0])
    return c.json(
      page(c, 'stocks', rows, limit, (row) => [row.bookid], toStock),
      200,
    )
  })

  app.openapi(getStock, async (c) => {
    const row = await read.stock(sql, c.req.valid('param').bookid)
    return c.json(toStock(row ?? notFound('No copy of this book was ever received.')), 200)
  })

  app.openapi(listMovements, async (c) => {
    const { bookid } = c.req.valid('param')
    const { limit, after } = c.req.valid('query')
    const rows = await read.movements(
      sql,
      bookid,
      limit + 1,
      after === undefined ? undefined : integerFrom(after),
    )
    if (rows.length === 0 && after === undefined) notFound('Nothing ever happened to this book.')
    return c.json(
      page(c, 'movements', rows, limit, (row) => [String(row.seq)], toMovement),
      200,
    )
  })

  app.openapi(listRequests, async (c) => {
    const { limit, after } = c.req.valid('query')
    const rows = await read.requests(sql, limit + 1, after && decodeAfter(after, 1)[0])
    return c.json(
      page(c, 'purchaseRequests', rows, limit, (row) => [row.bookid], toRequest),
      200,
    )
  })

  app.openapi(order, async (c) => {
    const body = c.req.valid('json')
    const { key, id } = await keyOf(c, 'POST /purchases', body)
    await carryOut(c, key, { type: 'OrderCopies', commandid: id, purchaseid: id, ...body })
    const row = await read.purchase(sql, id)
    return c.json(toPurchase(row!), 201, { location: `/purchases/${id}` })
  })

  app.openapi(listPurchases, async (c) => {
    const { limit, after, bookid } = c.req.valid('query')
    const rows = await read.purchases(
      sql,
      limit + 1,
      bookid,
      after === undefined ? undefined : uuidFrom(after),
    )
    return c.json(
      page(c, 'purchases', rows, limit, (row) => [row.purchaseid], toPurchase),
      200,
    )
  })

  app.openapi(getPurchase, async (c) => {
    const row = await read.purchase(sql, c.req.valid('param').purchaseid)
    return c.json(toPurchase(row ?? notFound('There is no such purchase.')), 200)
  })

  /** The id under which the request's effect is known, and the key that leads to it. */
  async function keyOf(c: Context, scope: string, payload: unknown): Promise<{ key: string; id: string }> {
    const key = c.req.header('idempotency-key') ?? uuidv7()
    return { key, id: await claimKey(sql, { scope, key, payload }) }
  }

  /** Sends a command and waits until the actor has committed it. */
  async function carryOut(
    c: Context,
    key: string,
    command: Extract<StockCommand, { commandid: string }>,
  ): Promise<void> {
    const { type, bookid, ...data } = command
    const envelope: Envelope = {
      specversion: '1.0',
      id: command.commandid,
      source: '/stock/http',
      type,
      subject: bookid,
      time: now().toISOString(),
      traceparent: traceOf(c),
      data: JSON.stringify({ bookid, ...data }),
    }
    const answer = wakeup.next(command.commandid, answerWithinMs, stopping)
    await send(envelope).catch((cause) => {
      throw notYet('The message could not be sent.', key, cause)
    })
    if ((await answer) === undefined) throw notYet('The actor of this book did not answer in time.', key)
  }

  /** Whether it had its effect is not known: the same key finds out, and has one effect in any case. */
  const notYet = (what: string, key: string, cause?: unknown) =>
    new Unavailable(`${what} Repeat the request with the header Idempotency-Key: ${key}`, { cause })

  async function refuseForeignPurchase(purchaseid: string, bookid: string): Promise<void> {
    const purchase = await read.purchase(sql, purchaseid)
    if (purchase?.bookid === bookid) return
    const detail = purchase ? 'is a purchase of another book' : 'is no purchase'
    throw new Problem('invalid-input', { errors: [{ pointer: '/purchaseid', detail }] })
  }
}

function notFound(detail: string): never {
  throw new Problem('not-found', { detail })
}

const toStock = ({ bookid, title, author, isbn, available, held, version }: read.StockRow) => ({
  bookid,
  title,
  author,
  isbn,
  qty: available,
  held,
  version,
  _links: selfLink(`/stocks/${encodeURIComponent(bookid)}`),
})

const toMovement = ({ id, type, time, data }: read.MovementRow) => ({
  id,
  type,
  time: time.toISOString(),
  data,
})

const toRequest = ({ requested_at, ...request }: read.RequestRow) => ({
  ...request,
  requestedAt: requested_at.toISOString(),
})

const toPurchase = ({ ordered_at, received_at, ...purchase }: read.PurchaseRow) => ({
  ...purchase,
  orderedAt: ordered_at.toISOString(),
  receivedAt: received_at?.toISOString() ?? null,
  _links: selfLink(`/purchases/${purchase.purchaseid}`),
})
