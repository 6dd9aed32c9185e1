/** The stock manager's HTTP API: what a book allows, and copies that leave the stock. */
import { z } from '@hono/zod-openapi'
import { problemResponses } from '../../platform/http/problem.ts'
import { jsonHeaders, reply } from '../../platform/http/reply.ts'
import { jsonAnswer, jsonBody, routesOf } from '../../platform/http/route.ts'
import { idSchema, rulesSchema, textSchema, withdrawalReasons } from '../messages.ts'
import { keyHeader, location, qty } from './contract.ts'
import * as examples from './examples.ts'
import * as holds from './hold-queries.ts'
import { pathOf, received, type StockHttpOptions, stockSchema, toStock } from './http.ts'
import { refused } from './refusals.ts'

const routes = routesOf('stock manager')

const setRules = routes.put('/stocks/{bookid}/rules', {
  operationId: 'setRules',
  summary: 'Set the rules of a book',
  description:
    'Replaces the rules that the book had of its own; a rule that is left out is the installation’s. They apply to what comes after: reservations that wait or hold a copy stay as they are.',
  access: ['stock-manager'],
  request: {
    params: z.object({ bookid: idSchema }),
    headers: keyHeader,
    body: jsonBody(rulesSchema.openapi('BookRules'), examples.rules),
  },
  responses: {
    200: jsonAnswer(stockSchema, 'The stock, with its rules', examples.stockWithRules),
    ...problemResponses(404, 422),
  },
})

const withdrawalSchema = z
  .object({
    bookid: idSchema,
    qty: qty.pipe(z.int().min(1)),
    reason: z.enum(withdrawalReasons),
    evenHeld: z
      .boolean()
      .default(false)
      .describe(
        'also copies that are held, at most 200, those served last first; their customers wait again. Copies of a book without rules are taken back by their reservations',
      ),
  })
  .openapi('Withdrawal')

const withdraw = routes.post('/withdrawals', {
  operationId: 'withdrawCopies',
  summary: 'Withdraw copies of a book',
  description: 'Copies that are lost, damaged or given away leave the stock.',
  access: ['stock-manager'],
  request: { headers: keyHeader, body: jsonBody(withdrawalSchema, examples.withdrawal) },
  responses: {
    201: {
      ...jsonAnswer(stockSchema, 'The stock, without the copies', examples.stockWithRules),
      headers: location,
    },
    ...problemResponses(404, 409, 422),
  },
})

const decline = routesOf('purchaser').post('/purchase-requests/{bookid}/decline', {
  operationId: 'declinePurchase',
  summary: 'Decline a purchase request',
  description:
    'No copies will be bought. If the library has none either, reservations that wait for the book fail.',
  access: ['purchaser'],
  request: {
    params: z.object({ bookid: idSchema }),
    headers: keyHeader,
    body: jsonBody(z.object({ note: textSchema.max(200).optional() }).openapi('Decline'), examples.decline),
  },
  responses: { 204: { description: 'The request is closed' }, ...problemResponses(409, 422) },
})

export function mountRules({ app, sql, commands, defaults }: StockHttpOptions): void {
  app.addRoute(setRules, async (c) => {
    const { bookid } = c.req.valid('param')
    const rules = c.req.valid('json')
    await received(sql, bookid)
    const scope = `PUT /stocks/${bookid}/rules`
    await commands.execute(c, scope, rules, () => ({ type: 'ChangeRules', bookid, rules }))
    return reply(200, toStock(await received(sql, bookid), defaults))
  })

  app.addRoute(withdraw, async (c) => {
    const body = c.req.valid('json')
    const { bookid } = body
    await received(sql, bookid)
    const command = { type: 'WithdrawCopies' as const, ...body }
    const commandid = await commands.execute(c, 'POST /withdrawals', body, () => command)
    const [refusal, row] = await Promise.all([holds.refusalOf(sql, commandid), received(sql, bookid)])
    if (refusal) throw refused(refusal, { available: row.available })
    return reply(201, toStock(row, defaults), { ...jsonHeaders, location: pathOf(bookid) })
  })

  app.addRoute(decline, async (c) => {
    const { bookid } = c.req.valid('param')
    const body = c.req.valid('json')
    const scope = `POST /purchase-requests/${bookid}/decline`
    const command = { type: 'DeclinePurchase' as const, bookid, ...body }
    const commandid = await commands.execute(c, scope, body, () => command)
    const refusal = await holds.refusalOf(sql, commandid)
    if (refusal) throw refused(refusal, {})
    return c.body(null, 204)
  })
}
