/** Exports and erases the data that the reservation service has about a customer. */
import { z } from '@hono/zod-openapi'
import { eraseAll } from '../../platform/http/erase.ts'
import { pagesOf, replyExport } from '../../platform/http/export.ts'
import { Problem, problemResponses } from '../../platform/http/problem.ts'
import { reply } from '../../platform/http/reply.ts'
import { jsonAnswer, routesOf } from '../../platform/http/route.ts'
import { customerOf, ownOf } from '../../platform/identity/caller.ts'
import { idSchema } from '../messages.ts'
import { eraseSome, eraseStanding, openOf } from './erasure.ts'
import * as examples from './examples.ts'
import type { ReservationHttpOptions } from './http.ts'
import type { Reservation } from './reservation.ts'
import { reservationSchema, toBody } from './resource.ts'
import { readStanding } from './standings.ts'
import { standingSchema, toBody as toStanding } from './standings-http.ts'
import * as store from './store.ts'

const routes = routesOf('standings')

const exportSchema = z
  .object({
    userid: z.string(),
    exportedAt: z.iso.datetime(),
    standing: standingSchema,
    reservations: z.array(reservationSchema).describe('all of them, newest first'),
  })
  .openapi('CustomerExport')

const erasureSchema = z
  .object({
    reservations: z.int().describe('how many have lost the name of the customer with this call'),
    blockKept: z
      .boolean()
      .describe('whether the customer is blocked, which stays until staff or time end it'),
    eventsUntil: z.iso
      .datetime()
      .describe(
        'by when the log of events of stock names the customer no longer (`EVENT_RETENTION_DAYS`). Movements of books are read from it, and messages that Redis loses are filled in from it',
      ),
  })
  .openapi('Erasure')

const params = z.object({ userid: idSchema })

const exportCustomer = routes.get('/standings/{userid}/export', {
  operationId: 'exportCustomer',
  summary: 'All that is kept of a customer here',
  description:
    'Standing and reservations. Stock keeps the same of each reservation under its id, and nothing else of customers but whether a block holds it back. The notifier has an export of its own.',
  access: ['customer', 'operator'],
  request: { params },
  responses: { 200: jsonAnswer(exportSchema, 'The export', examples.customerExport) },
})

const eraseCustomer = routes.delete('/standings/{userid}', {
  operationId: 'eraseCustomer',
  summary: 'Erase a customer',
  description:
    'Reservations, and what stock keeps of them, no longer name the customer. While one is active or a copy is out, the answer is 409 and names them. Can be repeated, and must be after a 503. Contact and notices are erased at the notifier.',
  access: ['customer', 'operator'],
  request: { params },
  responses: {
    200: jsonAnswer(erasureSchema, 'The customer is erased', examples.erasure),
    ...problemResponses(409),
  },
})

const pageMax = 500
const dayMs = 86_400_000

export function mountPrivacy(options: ReservationHttpOptions): void {
  const { app, sql, lists, activeMax, eventRetentionDays, now, noted, audit } = options

  app.addRoute(exportCustomer, async (c) => {
    const userid = customerOf(c, c.req.valid('param').userid)
    await audit?.note(c, { action: 'exportCustomer', subject: userid })
    const standing = await readStanding(sql, userid, activeMax > 0)
    const isOwn = ownOf(c) !== undefined
    const head = {
      userid,
      exportedAt: now().toISOString(),
      standing: toStanding(standing, activeMax, isOwn),
    }
    const query = { userid, bookid: undefined, status: undefined }
    const read = (last: Reservation | undefined, limit: number) =>
      lists.for(c, (sql) => store.list(sql, { ...query, before: last?.reservationid, limit }))
    return await replyExport('reservations', head, ['reservations', pagesOf(pageMax, read, toBody)])
  })

  app.addRoute(eraseCustomer, async (c) => {
    const userid = customerOf(c, c.req.valid('param').userid)
    const open = await openOf(sql, userid)
    if (open.length > 0) {
      await audit?.note(c, { action: 'eraseCustomer', subject: userid, detail: 'still active' })
      throw new Problem('still-active', { extensions: { reservations: open } })
    }
    await audit?.erased(c, 'eraseCustomer')
    const reservations = await eraseAll(c, async () => {
      const count = await eraseSome(sql, userid)
      if (count > 0) noted()
      return count
    })
    const blockKept = await eraseStanding(sql, userid)
    const eventsUntil = new Date(now().getTime() + eventRetentionDays * dayMs).toISOString()
    return reply(200, { reservations, blockKept, eventsUntil })
  })
}
