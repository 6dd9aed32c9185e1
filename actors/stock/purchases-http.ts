/** The purchaser's HTTP API: purchase requests and purchases. */
import { z } from '@hono/zod-openapi'
import {
  decodeAfter,
  pageQuery,
  replyPage,
  selfLink,
  selfSchema,
  uuidFrom,
} from '../../platform/http/paging.ts'
import { Problem, problemResponses } from '../../platform/http/problem.ts'
import { jsonHeaders, reply } from '../../platform/http/reply.ts'
import { jsonAnswer, jsonBody, pageAnswer, routesOf } from '../../platform/http/route.ts'
import { shownStatus, shownStatuses } from '../../platform/http/status.ts'
import { idSchema } from '../messages.ts'
import { keyHeader, location, qty } from './contract.ts'
import * as examples from './examples.ts'
import { aboutBook, ofLife, type StockHttpOptions } from './http.ts'
import * as queries from './queries.ts'
import { isOriginal, type Rules, rulesOf } from './rules.ts'

const routes = routesOf('purchaser')

const requestSchema = z
  .object({
    ...aboutBook,
    shortage: z.int().describe('reservations refused since copies were last ordered or arrived'),
    ...ofLife,
    requestedAt: z.iso.datetime(),
  })
  .openapi('PurchaseRequest')

const purchaseSchema = z
  .object({
    purchaseid: z.uuid(),
    bookid: z.string(),
    title: z.string().describe('empty if the library never had the book'),
    qty: z.int(),
    status: shownStatuses(queries.purchaseStatuses),
    orderedAt: z.iso.datetime(),
    receivedAt: z.iso.datetime().nullable(),
    _links: selfSchema,
  })
  .openapi('Purchase')

const newPurchaseSchema = z.object({ bookid: idSchema, qty: qty.pipe(z.int().min(1)) }).openapi('NewPurchase')

const listRequests = routes.get('/purchase-requests', {
  operationId: 'listPurchaseRequests',
  summary: 'List purchase requests',
  description:
    'Books that reservations were refused for, until copies are ordered or arrive, and books that more reservations wait for than copies are available or ordered.',
  access: ['stock-manager', 'purchaser', 'operator'],
  request: { query: z.object({ ...pageQuery }) },
  responses: {
    200: pageAnswer({
      as: 'PurchaseRequestPage',
      name: 'purchaseRequests',
      item: requestSchema,
      description: 'A page, ordered by book id',
      example: examples.request,
      path: '/purchase-requests',
    }),
  },
})

const order = routes.post('/purchases', {
  operationId: 'orderCopies',
  summary: 'Order copies of a book',
  description:
    'Closes the open purchase request for the book. The copies are available once they are received.',
  access: ['purchaser'],
  request: {
    headers: keyHeader,
    body: jsonBody(newPurchaseSchema, examples.newPurchase),
  },
  responses: {
    201: { ...jsonAnswer(purchaseSchema, 'The purchase', examples.purchase), headers: location },
    ...problemResponses(422),
  },
})

const listPurchases = routes.get('/purchases', {
  operationId: 'listPurchases',
  summary: 'List purchases',
  access: ['stock-manager', 'purchaser', 'operator'],
  request: { query: z.object({ ...pageQuery, bookid: idSchema.optional() }) },
  responses: {
    200: pageAnswer({
      as: 'PurchasePage',
      name: 'purchases',
      item: purchaseSchema,
      description: 'A page, newest first',
      example: examples.purchase,
      path: '/purchases',
    }),
  },
})

const getPurchase = routes.get('/purchases/{purchaseid}', {
  operationId: 'getPurchase',
  summary: 'Get a purchase',
  access: ['stock-manager', 'purchaser', 'operator'],
  request: { params: z.object({ purchaseid: z.uuid() }) },
  responses: { 200: jsonAnswer(purchaseSchema, 'The purchase', examples.purchase), ...problemResponses(404) },
})

export function mountPurchases({ app, sql, reads, commands, defaults }: StockHttpOptions): void {
  app.addRoute(listRequests, async (c) => {
    const { limit, after } = c.req.valid('query')
    const rows = await reads.for(c, (sql) =>
      queries.requests(sql, limit + 1, after && decodeAfter(after, 1)[0]),
    )
    const shown = (row: queries.RequestRow) => toRequest(row, defaults)
    return replyPage(c, 'purchaseRequests', rows, limit, (row) => [row.bookid], shown)
  })

  app.addRoute(order, async (c) => {
    const body = c.req.valid('json')
    const purchaseid = await commands.execute(c, 'POST /purchases', body, (id) => ({
      type: 'OrderCopies',
      purchaseid: id,
      ...body,
    }))
    const row = await queries.purchase(sql, purchaseid)
    return reply(201, toPurchase(row!), { ...jsonHeaders, location: pathOf(purchaseid) })
  })

  app.addRoute(listPurchases, async (c) => {
    const { limit, after, bookid } = c.req.valid('query')
    const before = after === undefined ? undefined : uuidFrom(after)
    const rows = await reads.for(c, (sql) => queries.purchases(sql, limit + 1, bookid, before))
    return replyPage(c, 'purchases', rows, limit, (row) => [row.purchaseid], toPurchase)
  })

  app.addRoute(getPurchase, async (c) => {
    const row = await queries.purchase(sql, c.req.valid('param').purchaseid)
    if (!row) throw new Problem('not-found', { detail: 'No purchase has this id.' })
    return reply(200, toPurchase(row))
  })
}

const pathOf = (purchaseid: string) => `/purchases/${purchaseid}`

function toRequest(row: queries.RequestRow, defaults: Rules) {
  const { bookid, title, author, isbn, shortage, requested_at, owned, waiting, on_order } = row
  const life = isOriginal(rulesOf(defaults, row.rules))
    ? { owned: null, waiting: null, onOrder: null }
    : { owned, waiting, onOrder: on_order }
  return { bookid, title, author, isbn, shortage, ...life, requestedAt: requested_at.toISOString() }
}

const toPurchase = ({ ordered_at, received_at, status, ...purchase }: queries.PurchaseRow) => ({
  ...purchase,
  status: shownStatus(status),
  orderedAt: ordered_at.toISOString(),
  receivedAt: received_at?.toISOString() ?? null,
  _links: selfLink(pathOf(purchase.purchaseid)),
})
