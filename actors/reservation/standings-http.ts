/** The HTTP API of staff for limits: how many reservations a customer has, and blocks. */
import { z } from '@hono/zod-openapi'
import { instantSchema, selfLink, selfSchema } from '../../platform/http/paging.ts'
import { Problem, problemResponses } from '../../platform/http/problem.ts'
import { reply } from '../../platform/http/reply.ts'
import { jsonAnswer, jsonBody, routesOf } from '../../platform/http/route.ts'
import { customerOf, ownOf } from '../../platform/identity/caller.ts'
import { idSchema, textSchema } from '../messages.ts'
import * as examples from './examples.ts'
import type { ReservationHttpOptions } from './http.ts'
import { block, readStanding, type Standing, unblock } from './standings.ts'

const routes = routesOf('standings')

const blockSchema = z
  .object({
    reason: textSchema.min(1).max(200).describe('for staff; the customer does not see it'),
    until: instantSchema.nullish().describe('when the block ends; without it, when staff end it'),
  })
  .openapi('Block')

export const standingSchema = z
  .object({
    userid: z.string(),
    active: z.array(z.uuid()).describe('the reservations that count, oldest first'),
    limit: z.int().nullable().describe('how many may be active; null: any number'),
    block: z
      .object({ reason: z.string(), until: z.iso.datetime().nullable() })
      .nullable()
      .describe('the block that is in force'),
    _links: selfSchema,
  })
  .openapi('Standing')

const params = z.object({ userid: idSchema })

const get = routes.get('/standings/{userid}', {
  operationId: 'getStanding',
  summary: "A customer's active reservations, limit and block",
  access: ['customer', 'stock-manager', 'operator'],
  request: { params },
  responses: { 200: jsonAnswer(standingSchema, 'The standing', examples.standing) },
})

const putBlock = routes.put('/standings/{userid}/block', {
  operationId: 'blockCustomer',
  summary: 'Block a customer',
  description:
    'New reservations fail with `Blocked`. Those that the customer has stay as they are, but stock hands none of their copies over, from moments later until the block ends. Replaces any block. Blocks need a limit: without `ACTIVE_MAX` the answer is 409.',
  access: ['stock-manager', 'service'],
  request: { params, body: jsonBody(blockSchema, examples.block) },
  responses: {
    200: jsonAnswer(standingSchema, 'The standing, with its block', examples.blocked),
    ...problemResponses(409),
  },
})

const deleteBlock = routes.delete('/standings/{userid}/block', {
  operationId: 'unblockCustomer',
  summary: 'End the block of a customer',
  description: 'Without a block, this has no effect.',
  access: ['stock-manager', 'service'],
  request: { params },
  responses: { 200: jsonAnswer(standingSchema, 'The standing, without a block', examples.standing) },
})

export function mountStandings(
  options: Pick<ReservationHttpOptions, 'app' | 'sql' | 'activeMax' | 'now' | 'noted' | 'audit'>,
): void {
  const { app, sql, activeMax, now, noted, audit } = options
  const read = async (userid: string, own = false) =>
    reply(200, toBody(await readStanding(sql, userid, activeMax > 0), activeMax, own))

  app.addRoute(get, async (c) => {
    const userid = customerOf(c, c.req.valid('param').userid)
    await audit?.note(c, { action: 'getStanding', subject: userid })
    return await read(userid, ownOf(c) !== undefined)
  })

  app.addRoute(putBlock, async (c) => {
    const { userid } = c.req.valid('param')
    const { reason, until } = c.req.valid('json')
    if (activeMax === 0) throw new Problem('limits-off')
    const end = until == null ? null : new Date(until)
    if (end && end <= now())
      throw new Problem('invalid-input', { errors: [{ pointer: '/until', detail: 'must be in the future' }] })
    await audit?.note(c, { action: 'blockCustomer', subject: userid, detail: reason })
    await block(sql, userid, { reason, until: end })
    noted()
    return await read(userid)
  })

  app.addRoute(deleteBlock, async (c) => {
    const { userid } = c.req.valid('param')
    await audit?.note(c, { action: 'unblockCustomer', subject: userid })
    await unblock(sql, userid)
    noted()
    return await read(userid)
  })
}

/** @param own whether the customer reads it, who does not see the reason of a block. */
export const toBody = ({ userid, active, block }: Standing, activeMax: number, own: boolean) => ({
  userid,
  active,
  limit: activeMax === 0 ? null : activeMax,
  block: block && { reason: own ? '' : block.reason, until: block.until?.toISOString() ?? null },
  _links: selfLink(`/standings/${encodeURIComponent(userid)}`),
})
