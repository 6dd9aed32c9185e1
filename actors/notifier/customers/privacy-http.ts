/** Exports and erases the data that the notifier has about a customer. */
import { z } from '@hono/zod-openapi'
import { eraseAll } from '../../../platform/http/erase.ts'
import { pagesOf, replyExport } from '../../../platform/http/export.ts'
import { reply } from '../../../platform/http/reply.ts'
import { jsonAnswer, routesOf } from '../../../platform/http/route.ts'
import { customerOf } from '../../../platform/identity/caller.ts'
import { idSchema } from '../../messages.ts'
import { readAttemptsOf } from '../delivery/attempts.ts'
import * as examples from '../examples.ts'
import type { NotifierHttpOptions } from '../http-options.ts'
import { listNotices, type NoticeRow } from '../operators/notices.ts'
import { oneNoticeSchema, toAttempt, toNotice } from '../operators/notices-http.ts'
import { readCustomer } from './customers.ts'
import { customerSchema, toCustomer } from './customers-http.ts'
import { eraseContact, eraseSomeNotices } from './erasure.ts'

const routes = routesOf('customer')

const exportSchema = z
  .object({
    userid: z.string(),
    // A reference that may be null is lost in the document.
    contact: z
      .union([customerSchema, z.null()])
      .describe('null if the customer has not set how they are notified'),
    notices: z.array(oneNoticeSchema).describe('all of them with every attempt, newest first'),
  })
  .openapi('ContactExport')

const erasureSchema = z
  .object({
    contact: z.boolean().describe('whether there was a contact, which is deleted now'),
    notices: z.int().describe('how many have lost the name of the customer with this call'),
  })
  .openapi('ContactErasure')

const params = z.object({ userid: idSchema })

const exportContact = routes.get('/customers/{userid}/export', {
  operationId: 'exportContact',
  summary: 'All that is kept of a customer here',
  description:
    'Contact and notices. The secret part of a webhook is not shown. The reservation service has an export of its own.',
  access: ['customer', 'operator'],
  request: { params },
  responses: { 200: jsonAnswer(exportSchema, 'The export', examples.contactExport) },
})

const eraseCustomer = routes.delete('/customers/{userid}', {
  operationId: 'eraseContact',
  summary: 'Erase a customer’s contact and notices',
  description:
    'Deletes the contact. Notices no longer name the customer, and what receivers answered is deleted; those that are not sent yet are not sent. Can be repeated, and must be after a 503. Erase the customer at the reservation service first: what happens to their reservations causes new notices.',
  access: ['customer', 'operator'],
  request: { params },
  responses: { 200: jsonAnswer(erasureSchema, 'The customer is erased', examples.contactErasure) },
})

const pageMax = 500

export function mountPrivacy({ app, sql, reads, audit }: NotifierHttpOptions): void {
  app.addRoute(exportContact, async (c) => {
    const userid = customerOf(c, c.req.valid('param').userid)
    await audit?.note(c, { action: 'exportContact', subject: userid })
    const contact = await readCustomer(sql, userid)
    const read = (last: NoticeRow | undefined, limit: number) =>
      reads.for(c, async (sql) => {
        const notices = await listNotices(sql, { userid, before: last?.seq, limit })
        const attempts = await readAttemptsOf(
          sql,
          notices.map((it) => it.seq),
        )
        return notices.map((it) => ({ ...it, log: attempts.get(it.seq) ?? [] }))
      })
    const toItem = ({ log, ...notice }: Awaited<ReturnType<typeof read>>[number]) => ({
      ...toNotice(notice),
      log: log.map(toAttempt),
    })
    const head = { userid, contact: contact === undefined ? null : toCustomer(contact) }
    return await replyExport('notices', head, ['notices', pagesOf(pageMax, read, toItem)])
  })

  app.addRoute(eraseCustomer, async (c) => {
    const userid = customerOf(c, c.req.valid('param').userid)
    await audit?.erased(c, 'eraseContact')
    const contact = await eraseContact(sql, userid)
    const notices = await eraseAll(c, () => eraseSomeNotices(sql, userid))
    return reply(200, { contact, notices })
  })
}
