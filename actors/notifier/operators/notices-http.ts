/** Lists notices for operators, who can retry or suppress them. */
import { z } from '@hono/zod-openapi'
import { integerFrom, pageQuery, replyPage, selfLink, selfSchema } from '../../../platform/http/paging.ts'
import { Problem, problemResponses } from '../../../platform/http/problem.ts'
import { reply } from '../../../platform/http/reply.ts'
import { jsonAnswer, jsonBody, pageAnswer, routesOf } from '../../../platform/http/route.ts'
import { askedStatus, shownStatus, shownStatuses } from '../../../platform/http/status.ts'
import { everyone } from '../../../platform/identity/audit.ts'
import { customerOf, maySee } from '../../../platform/identity/caller.ts'
import type { Sql } from '../../../streams/postgres.ts'
import { idSchema } from '../../messages.ts'
import { channelNames } from '../channels/all.ts'
import { type AttemptRow, attemptOutcomes, readAttempts } from '../delivery/attempts.ts'
import * as examples from '../examples.ts'
import type { NotifierHttpOptions } from '../http-options.ts'
import { kinds, type Status, statuses } from '../plan/notice.ts'
import { isForOperator, type Routing, routeOf } from '../plan/routing.ts'
import { readContacts } from '../store.ts'
import { listNotices, type NoticeRow, readNotice, retryNotice, suppressNotice } from './notices.ts'

const routes = routesOf('operator')

const noticeSchema = z
  .object({
    noticeid: z.uuid(),
    kind: z.enum(kinds),
    channel: z.enum(channelNames),
    userid: z.string().nullable().describe('`null`: the notice is for the purchaser or the operators'),
    bookid: z.string().nullable(),
    title: z.string().nullable().describe('Of the book. `null` if stock has not given one'),
    reservationid: z.uuid().nullable(),
    reason: z
      .string()
      .nullable()
      .describe(
        'Why a reservation or a delivery failed. `UnknownBook`, with any kind: stock has never had the book',
      ),
    shortage: z.int().nullable().describe('Copies that a purchase request asks for'),
    status: shownStatuses(statuses).describe(
      '`Failed`: given up. `Superseded`: something newer made it untrue before it was sent. `Suppressed`: stopped by an operator',
    ),
    attempts: z.int(),
    lastError: z.string().nullable(),
    createdAt: z.iso.datetime(),
    sentAt: z.iso.datetime().nullable(),
    _links: selfSchema,
  })
  .openapi('Notice')

const attemptSchema = z
  .object({
    at: z.iso.datetime(),
    channel: z.enum(channelNames),
    outcome: shownStatuses(attemptOutcomes).describe(
      '`Retry`: it failed and was retried. `Failed`: refused for good, or given up',
    ),
    error: z.string().nullable(),
    answer: z.string().nullable().describe("The receiver's answer"),
  })
  .openapi('Attempt')

export const oneNoticeSchema = noticeSchema
  .extend({ log: z.array(attemptSchema).describe('Every attempt, oldest first') })
  .openapi('NoticeWithAttempts')

const changeSchema = z.object({ status: askedStatus(['pending', 'suppressed']) }).openapi('NoticeChange')

const params = z.object({ noticeid: z.uuid() })

const getNotices = routes.get('/notices', {
  operationId: 'listNotices',
  summary: 'List notices',
  access: ['customer', 'operator'],
  request: {
    query: z.object({
      ...pageQuery,
      userid: idSchema.optional(),
      status: askedStatus(statuses).optional(),
      kind: z.enum(kinds).optional(),
      channel: z.enum(channelNames).optional().describe('Of the last attempt, or of the next'),
    }),
  },
  responses: {
    200: pageAnswer({
      as: 'NoticePage',
      name: 'notices',
      item: noticeSchema,
      description: 'A page, newest first',
      example: examples.notice,
      path: '/notices',
    }),
  },
})

const getNotice = routes.get('/notices/{noticeid}', {
  operationId: 'getNotice',
  summary: 'A notice, with every delivery attempt',
  access: ['customer', 'operator'],
  request: { params },
  responses: { 200: jsonAnswer(oneNoticeSchema, 'The notice', examples.oneNotice), ...problemResponses(404) },
})

const patchNotice = routes.patch('/notices/{noticeid}', {
  operationId: 'changeNotice',
  summary: 'Retry or suppress a notice',
  description:
    '`Pending` retries a failed or suppressed notice, starting with its first channel. `Suppressed` stops a pending or failed notice. If it is being sent at that moment it may still arrive, and is then `Sent`.',
  access: ['operator'],
  request: {
    params,
    body: jsonBody(changeSchema, examples.noticeChange),
  },
  responses: {
    200: jsonAnswer(oneNoticeSchema, 'The updated notice', examples.oneNotice),
    ...problemResponses(404, 409),
  },
})

export function mountNotices({ app, sql, reads, routing, wake, audit }: NotifierHttpOptions): void {
  app.addRoute(getNotices, async (c) => {
    const { limit, after, userid: named, ...filter } = c.req.valid('query')
    const userid = customerOf(c, named)
    await audit?.note(c, { action: 'listNotices', subject: userid ?? everyone })
    const before = after === undefined ? undefined : integerFrom(after)
    const rows = await reads.for(c, (sql) =>
      listNotices(sql, { ...filter, userid, before, limit: limit + 1 }),
    )
    return replyPage(c, 'notices', rows, limit, (it) => [String(it.seq)], toNotice)
  })

  app.addRoute(getNotice, async (c) => {
    const notice = (await readNotice(sql, c.req.valid('param').noticeid)) ?? notFound()
    if (!maySee(c, notice.userid)) notFound()
    if (notice.userid !== null)
      await audit?.note(c, { action: 'getNotice', subject: notice.userid, detail: notice.noticeid })
    return reply(200, await withAttempts(sql, notice))
  })

  app.addRoute(patchNotice, async (c) => {
    const { noticeid } = c.req.valid('param')
    const { status } = c.req.valid('json')
    const notice = (await readNotice(sql, noticeid)) ?? notFound()
    await audit?.note(c, {
      action: 'changeNotice',
      subject: notice.userid ?? '-',
      detail: `${noticeid} ${status}`,
    })
    const changed = await (status === 'suppressed'
      ? suppressNotice(sql, noticeid)
      : retry(sql, routing, notice))
    if (changed && status === 'pending') wake()
    const now = (await readNotice(sql, noticeid)) ?? notFound()
    if (!changed && now.status !== status) throw new Problem('conflict', { detail: refusalOf(now, status) })
    return reply(200, await withAttempts(sql, now))
  })
}

/** Starts again with the first channel of the current route. */
async function retry(sql: Sql, routing: Routing, notice: NoticeRow): Promise<boolean> {
  const { noticeid, userid, channel } = notice
  const contacts = await readContacts(sql, userid === null ? [] : [userid])
  const [first] = routeOf(notice, contacts.get(userid ?? ''), routing)
  // A copy in the chat stays there. Operators have a notice on each of their channels, so each stays there too.
  const stays = channel === 'chat' || isForOperator(notice.kind)
  return await retryNotice(sql, noticeid, stays ? channel : (first ?? channel))
}

const refusalOf = ({ status }: NoticeRow, wanted: Status) =>
  `A notice that is ${shownStatus(status)} cannot become ${shownStatus(wanted)}.`

async function withAttempts(sql: Sql, notice: NoticeRow) {
  const attempts = await readAttempts(sql, notice.seq)
  return { ...toNotice(notice), log: attempts.map(toAttempt) }
}

function notFound(): never {
  throw new Problem('not-found', { detail: 'No such notice.' })
}

export const toNotice = ({ seq: _, status, createdAt, sentAt, ...notice }: NoticeRow) => ({
  ...notice,
  status: shownStatus(status),
  createdAt: createdAt.toISOString(),
  sentAt: sentAt?.toISOString() ?? null,
  _links: selfLink(`/notices/${notice.noticeid}`),
})

export const toAttempt = ({ at, channel, outcome, error, answer }: AttemptRow) => ({
  channel,
  error,
  answer,
  outcome: shownStatus(outcome),
  at: at.toISOString(),
})
