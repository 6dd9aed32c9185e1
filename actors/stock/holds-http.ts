/** Staff's HTTP API: copies that are set aside are put on the hold shelf, handed over and taken back. */
import { z } from '@hono/zod-openapi'
import {
  instantSchema,
  integerFrom,
  pageQuery,
  replyPage,
  selfLink,
  selfSchema,
  timeAndUuidFrom,
} from '../../platform/http/paging.ts'
import { Problem, problemResponses } from '../../platform/http/problem.ts'
import { reply } from '../../platform/http/reply.ts'
import { jsonAnswer, jsonBody, pageAnswer, routesOf } from '../../platform/http/route.ts'
import { everyone } from '../../platform/identity/audit.ts'
import { requireRole } from '../../platform/identity/caller.ts'
import { idSchema, stockRefusalReasons, withdrawalReasons } from '../messages.ts'
import type { CommandWithoutId } from './command-gateway.ts'
import { keyHeader } from './contract.ts'
import * as examples from './examples.ts'
import type { Hold } from './hold.ts'
import * as holds from './hold-queries.ts'
import { aboutBook, type StockHttpOptions } from './http.ts'
import { refused } from './refusals.ts'

const routes = routesOf('desk')

/** The words of the reservation's customer. */
const shown = {
  waiting: 'Waiting',
  held: 'Reserved',
  ready: 'Ready',
  collected: 'Collected',
  returned: 'Returned',
  refused: 'Failed',
  released: 'Canceled',
  expired: 'Expired',
} as const satisfies Record<Hold['status'], string>

const holdSchema = z
  .object({
    reservationid: z.uuid(),
    bookid: z.string(),
    userid: z.string(),
    status: z.enum(Object.values(shown)),
    reason: z.enum(stockRefusalReasons).nullable().describe('why the reservation failed'),
    place: z
      .int()
      .nullable()
      .describe(
        'its number in the order of arrival at the book; null without a queue, and once the copy was handed over',
      ),
    pickupBy: z.iso.datetime().nullable().describe('until when the copy is kept'),
    _links: selfSchema,
  })
  .openapi('Hold')

const changeSchema = z
  .object({
    status: z.enum(['Ready', 'Collected', 'Returned', 'Waiting']).optional(),
    userid: idSchema
      .optional()
      .describe('with `Collected`: the customer at the desk, who must be that of the reservation'),
    cause: z.enum(withdrawalReasons).optional().describe('with `Waiting`: why the copy is gone'),
    pickupBy: instantSchema.optional().describe('instead of `status`: a new deadline, in the future'),
  })
  .superRefine((change, context) => {
    const fault = (name: string, message: string) =>
      context.addIssue({ code: 'custom', path: [name], message })
    const { status, userid, cause, pickupBy } = change
    if ((status === undefined) === (pickupBy === undefined))
      fault('status', 'send either `status` or `pickupBy`')
    if (status === 'Waiting' && cause === undefined) fault('cause', 'must say why the copy is gone')
    if (status !== 'Waiting' && cause !== undefined) fault('cause', 'belongs to the status Waiting')
    if (status !== 'Collected' && userid !== undefined) fault('userid', 'belongs to the status Collected')
  })
  .openapi('HoldChange')

const params = z.object({ reservationid: z.uuid() })

const getHold = routes.get('/holds/{reservationid}', {
  operationId: 'getHold',
  summary: 'Get the hold of a reservation',
  access: ['stock-manager', 'operator', 'service'],
  request: { params },
  responses: { 200: jsonAnswer(holdSchema, 'The hold', examples.hold), ...problemResponses(404) },
})

const changeHold = routes.patch('/holds/{reservationid}', {
  operationId: 'changeHold',
  summary: 'Shelve, hand over or take back a copy, or extend its deadline',
  description:
    '`Ready`: the copy is on the hold shelf. `Collected`: its customer has it. `Returned`: it is back. `Waiting`: it is gone, and the customer waits for another, at the place that the reservation has or takes now. Answers once the change is committed. A change that is already made has no further effect.',
  access: ['stock-manager', 'service'],
  request: { params, headers: keyHeader, body: jsonBody(changeSchema, examples.handOver) },
  responses: {
    200: jsonAnswer(holdSchema, 'The changed hold', examples.hold),
    ...problemResponses(404, 409, 422),
  },
})

const waitSchema = z
  .object({
    reservationid: z.uuid(),
    userid: z.string(),
    place: z.int(),
    since: z.iso.datetime(),
    lapsesAt: z.iso.datetime().nullable().describe('when the wait ends'),
  })
  .openapi('Wait')

const listQueue = routes.get('/stocks/{bookid}/queue', {
  operationId: 'listQueue',
  summary: 'List who waits for a book',
  access: ['stock-manager', 'purchaser', 'operator'],
  request: { params: z.object({ bookid: idSchema }), query: z.object({ ...pageQuery }) },
  responses: {
    200: pageAnswer({
      as: 'QueuePage',
      name: 'queue',
      item: waitSchema,
      description: 'A page, in the order in which they are served',
      example: examples.wait,
      path: '/stocks/1/queue',
    }),
  },
})

const taskSchema = z
  .object({
    reservationid: z.uuid(),
    ...aboutBook,
    userid: z.string(),
    since: z.iso.datetime(),
    pickupBy: z.iso.datetime().nullable(),
  })
  .openapi('Task')

const listTasks = routes.get('/tasks', {
  operationId: 'listTasks',
  summary: 'List copies to fetch, or copies on the hold shelf',
  description: '`pull`: copies to fetch for the hold shelf. `ready`: copies that are on it.',
  access: ['stock-manager', 'purchaser', 'operator'],
  request: {
    query: z.object({
      ...pageQuery,
      kind: z.enum(holds.taskKinds),
      bookid: idSchema.optional(),
      ending: z
        .string()
        .regex(/^[0-9a-f]{1,12}$/)
        .optional()
        .openapi({
          description: 'only reservations whose id ends with these digits: for short codes on slips',
          example: 'e4b5d9e512',
        }),
    }),
  },
  responses: {
    200: pageAnswer({
      as: 'TaskPage',
      name: 'tasks',
      item: taskSchema,
      description: 'A page, the oldest first',
      example: examples.task,
      path: '/tasks?kind=pull',
    }),
  },
})

export function mountHolds({ app, sql, reads, commands, now, audit }: StockHttpOptions): void {
  app.addRoute(getHold, async (c) => {
    const hold = await found(c.req.valid('param').reservationid)
    await audit?.note(c, { action: 'getHold', subject: hold.userid, detail: hold.reservationid })
    return reply(200, toHold(hold))
  })

  app.addRoute(changeHold, async (c) => {
    const { reservationid } = c.req.valid('param')
    const change = c.req.valid('json')
    if (change.status !== 'Collected' && change.status !== 'Returned')
      requireRole(c, 'Only staff do this: programs hand over and take back.', 'stock-manager')
    const scope = `PATCH /holds/${reservationid}`
    const isPast = change.pickupBy !== undefined && Date.parse(change.pickupBy) <= now().getTime()
    // It was not past when the command was sent first.
    if (isPast && !(await commands.isRepeated(c, scope))) {
      throw new Problem('invalid-input', {
        errors: [{ pointer: '/pickupBy', detail: 'must be in the future' }],
      })
    }
    const { bookid, userid } = await found(reservationid)
    // The answer shows the hold, also if nothing changes and so no event says who did it.
    await audit?.note(c, { action: 'changeHold', subject: userid, detail: reservationid })
    const commandid = await commands.execute(c, scope, change, () =>
      commandOf(change, { bookid, reservationid }),
    )
    const [refusal, hold] = await Promise.all([holds.refusalOf(sql, commandid), found(reservationid)])
    if (refusal) throw refused(refusal, { hold: toHold(hold) })
    return reply(200, toHold(hold))
  })

  app.addRoute(listQueue, async (c) => {
    const { bookid } = c.req.valid('param')
    const { limit, after } = c.req.valid('query')
    const place = after === undefined ? undefined : integerFrom(after)
    await audit?.note(c, { action: 'listQueue', subject: everyone, detail: bookid })
    const rows = await reads.for(c, (sql) => holds.queue(sql, bookid, limit + 1, place))
    return replyPage(c, 'queue', rows, limit, (row) => [String(row.place)], toWait)
  })

  app.addRoute(listTasks, async (c) => {
    const { limit, after, ...wanted } = c.req.valid('query')
    const from = after === undefined ? undefined : timeAndUuidFrom(after)
    await audit?.note(c, { action: 'listTasks', subject: everyone, detail: wanted.kind })
    const query = { ...wanted, limit: limit + 1, after: from }
    const rows = await reads.for(c, (sql) => holds.tasks(sql, query))
    return replyPage(c, 'tasks', rows, limit, (row) => [row.key, row.reservationid], toTask)
  })

  async function found(reservationid: string): Promise<holds.HoldRow> {
    const row = await holds.hold(sql, reservationid.toLowerCase())
    if (!row) throw new Problem('not-found', { detail: 'Stock knows no reservation with this id.' })
    return row
  }
}

function commandOf(
  { status, userid, cause, pickupBy }: z.infer<typeof changeSchema>,
  of: { bookid: string; reservationid: string },
): CommandWithoutId {
  switch (status) {
    case 'Ready':
      return { type: 'ShelveCopy', ...of }
    case 'Collected':
      return { type: 'HandOverCopy', ...of, ...(userid === undefined ? {} : { userid }) }
    case 'Returned':
      return { type: 'ReturnCopy', ...of }
    case 'Waiting':
      return { type: 'WithdrawCopies', ...of, qty: 1, reason: cause! }
    case undefined:
      return { type: 'ExtendPickup', ...of, pickupBy: new Date(pickupBy!).toISOString() }
  }
}

const toHold = ({ status, pickup_by, ...hold }: holds.HoldRow) => ({
  ...hold,
  status: shown[status],
  pickupBy: pickup_by?.toISOString() ?? null,
  _links: selfLink(`/holds/${hold.reservationid}`),
})

const toWait = ({ lapses_at, since, ...wait }: holds.WaitRow) => ({
  ...wait,
  since: since.toISOString(),
  lapsesAt: lapses_at?.toISOString() ?? null,
})

const toTask = ({ key: _, pickup_by, since, ...task }: holds.TaskRow) => ({
  ...task,
  since: since.toISOString(),
  pickupBy: pickup_by?.toISOString() ?? null,
})
