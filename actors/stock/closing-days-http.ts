/** The stock manager's HTTP API: days on which the library is closed. */
import { z } from '@hono/zod-openapi'
import {
  dateFrom,
  dateSchema,
  pageQuery,
  replyPage,
  selfLink,
  selfSchema,
} from '../../platform/http/paging.ts'
import { Problem, problemResponses } from '../../platform/http/problem.ts'
import { jsonHeaders, reply, safeHeaders } from '../../platform/http/reply.ts'
import { jsonAnswer, jsonBody, pageAnswer, routesOf } from '../../platform/http/route.ts'
import { textSchema } from '../messages.ts'
import * as days from './closing-days.ts'
import { location } from './contract.ts'
import * as examples from './examples.ts'
import type { StockHttpOptions } from './http.ts'

const routes = routesOf('stock manager')

const closingDaySchema = z
  .object({ date: z.iso.date(), note: z.string(), _links: selfSchema })
  .openapi('ClosingDay')

const newClosingDaySchema = z
  .object({ note: textSchema.max(200).default('').openapi({ example: examples.closingDay.note }) })
  .openapi('NewClosingDay')

const params = z.object({ date: dateSchema })

const listClosingDays = routes.get('/closing-days', {
  operationId: 'listClosingDays',
  summary: 'List closing days',
  description: 'Days on which the library is closed, besides its closed weekdays.',
  access: ['stock-manager', 'purchaser', 'operator'],
  request: { query: z.object({ ...pageQuery, from: dateSchema.optional() }) },
  responses: {
    200: pageAnswer({
      as: 'ClosingDayPage',
      name: 'closingDays',
      item: closingDaySchema,
      description: 'A page, ordered by date, beginning at `from`',
      example: examples.closingDay,
      path: '/closing-days',
    }),
  },
})

const getClosingDay = routes.get('/closing-days/{date}', {
  operationId: 'getClosingDay',
  summary: 'Get a closing day',
  access: ['stock-manager', 'purchaser', 'operator'],
  request: { params },
  responses: {
    200: jsonAnswer(closingDaySchema, 'The closing day', examples.closingDay),
    ...problemResponses(404),
  },
})

const putClosingDay = routes.put('/closing-days/{date}', {
  operationId: 'setClosingDay',
  summary: 'Close the library on a day',
  description:
    'No deadline that is set from a minute later on ends on that day, or counts it. Deadlines that are already set stay as they are.',
  access: ['stock-manager'],
  request: { params, body: jsonBody(newClosingDaySchema, { note: examples.closingDay.note }) },
  responses: {
    200: jsonAnswer(closingDaySchema, 'The updated closing day', examples.closingDay),
    201: { ...jsonAnswer(closingDaySchema, 'The new closing day', examples.closingDay), headers: location },
  },
})

const deleteClosingDay = routes.delete('/closing-days/{date}', {
  operationId: 'deleteClosingDay',
  summary: 'Open the library on a day after all',
  description: 'Deadlines that are already set stay as they are.',
  access: ['stock-manager'],
  request: { params },
  responses: { 204: { description: 'The day is no closing day any more' }, ...problemResponses(404) },
})

export function mountClosingDays({ app, sql, audit }: Pick<StockHttpOptions, 'app' | 'sql' | 'audit'>): void {
  app.addRoute(listClosingDays, async (c) => {
    const { limit, after, from = '-infinity' } = c.req.valid('query')
    const rows = await days.closingDays(
      sql,
      limit + 1,
      from,
      after === undefined ? '-infinity' : dateFrom(after),
    )
    return replyPage(c, 'closingDays', rows, limit, (row) => [row.date], toClosingDay)
  })

  app.addRoute(getClosingDay, async (c) => {
    const day = await days.closingDay(sql, c.req.valid('param').date)
    return reply(200, toClosingDay(day ?? notFound()))
  })

  app.addRoute(putClosingDay, async (c) => {
    const day = { ...c.req.valid('param'), ...c.req.valid('json') }
    await audit?.note(c, { action: 'setClosingDay', subject: day.date, detail: day.note })
    const created = await days.writeClosingDay(sql, day)
    const body = toClosingDay(day)
    return created ? reply(201, body, { ...jsonHeaders, location: body._links.self.href }) : reply(200, body)
  })

  app.addRoute(deleteClosingDay, async (c) => {
    const { date } = c.req.valid('param')
    await audit?.note(c, { action: 'deleteClosingDay', subject: date })
    if (!(await days.deleteClosingDay(sql, date))) notFound()
    return c.body(null, 204, safeHeaders)
  })
}

function notFound(): never {
  throw new Problem('not-found', { detail: 'This day is no closing day.' })
}

const toClosingDay = (day: days.ClosingDay) => ({ ...day, _links: selfLink(`/closing-days/${day.date}`) })
