/** Lists the dead letters of a service, which operators can redrive or drop: what `npm run dead-letters` does. */
import {
  dropLetters,
  type LetterFilter,
  pageLetters,
  readLetter,
  redriveLetter,
  redriveLike,
} from '../../streams/dead-letter.ts'
import { type Envelope, type Fields, fromFields } from '../../streams/envelope.ts'
import type { Sql } from '../../streams/postgres.ts'
import type { App } from '../http/app.ts'
import { replyPage } from '../http/paging.ts'
import { Problem, problemResponses } from '../http/problem.ts'
import type { Reads } from '../http/reads.ts'
import { reply, safeHeaders } from '../http/reply.ts'
import { jsonAnswer, jsonBody, pageAnswer, routesOf } from '../http/route.ts'
import { type Audit, everyone } from '../identity/audit.ts'
import {
  example,
  keyFrom,
  letteridOf,
  letterSchema,
  oneLetterSchema,
  params,
  placeOf,
  query,
  redrivenSchema,
  redriveSchema,
  summaryExample,
  toSummary,
} from './dead-letter.ts'

const routes = routesOf('operator')

/** Letters of one call. Owners handle some hundreds a second. */
export const redriveMax = 1_000

export type DeadLettersHttpOptions = {
  app: App
  sql: Sql
  /** For lists. */
  reads: Reads
  /** Absent while identity is off. */
  audit?: Audit | undefined
}

const getLetters = routes.get('/dead-letters', {
  operationId: 'listDeadLetters',
  summary: 'List messages that were set aside',
  description: 'Without their content, which may name a customer.',
  access: ['operator'],
  request: { query },
  responses: {
    200: pageAnswer({
      as: 'DeadLetterPage',
      name: 'deadLetters',
      item: letterSchema,
      description: 'A page, oldest first',
      example: summaryExample,
      path: '/dead-letters',
    }),
  },
})

const getLetter = routes.get('/dead-letters/{letterid}', {
  operationId: 'getDeadLetter',
  summary: 'A message that was set aside, with its content',
  access: ['operator'],
  request: { params },
  responses: { 200: jsonAnswer(oneLetterSchema, 'The dead letter', example), ...problemResponses(404) },
})

const redriveOne = routes.post('/dead-letters/{letterid}/redrive', {
  operationId: 'redriveDeadLetter',
  summary: 'Handle a message again',
  description:
    'The owner of its partition handles it within seconds, out of order, once however often this is called. Then the letter is gone; if it fails again, it stays, with its new reason.',
  access: ['operator'],
  request: { params },
  responses: {
    202: jsonAnswer(letterSchema, 'It will be handled again.', { ...summaryExample, status: 'Redriving' }),
    ...problemResponses(404, 409),
  },
})

const redriveMany = routes.post('/dead-letters/redrive', {
  operationId: 'redriveDeadLetters',
  summary: 'Handle messages again, all that are alike',
  description: `At most ${redriveMax} of them, the oldest first. Those that cannot be redriven stay as they are.`,
  access: ['operator'],
  request: { body: jsonBody(redriveSchema, { reason: summaryExample.reason }) },
  responses: {
    202: jsonAnswer(redrivenSchema, 'They will be handled again.', {
      redriven: 12,
      more: false,
      until: '2026-11-24T02:45:00.000Z',
    }),
  },
})

const deleteLetter = routes.delete('/dead-letters/{letterid}', {
  operationId: 'dropDeadLetter',
  summary: 'Drop a message, so that it never has an effect',
  description:
    'If it is being handled at that moment, it may have its effect. A command that was never answered may be sent again.',
  access: ['operator'],
  request: { params },
  responses: { 204: { description: 'It is deleted' }, ...problemResponses(404) },
})

export function mountDeadLetters({ app, sql, reads, audit }: DeadLettersHttpOptions): void {
  app.addRoute(getLetters, async (c) => {
    const { limit, after, bookid, ...rest } = c.req.valid('query')
    const filter: LetterFilter = { ...rest, subject: bookid }
    const key = after === undefined ? undefined : keyFrom(after)
    const rows = await reads.for(c, (sql) => pageLetters(sql, filter, limit + 1, key))
    return replyPage(c, 'deadLetters', rows, limit, (row) => [row.exactly, letteridOf(row)], toSummary)
  })

  app.addRoute(getLetter, async (c) => {
    const { letterid } = c.req.valid('param')
    const { fields, ...letter } = (await readLetter(sql, placeOf(letterid))) ?? notFound()
    const message = messageOf(fields)
    const subject = customerIn(message) ?? everyone
    await audit?.note(c, { action: 'getDeadLetter', subject, detail: letterid })
    return reply(200, { ...toSummary(letter), message, fields })
  })

  app.addRoute(redriveOne, async (c) => {
    const { letterid } = c.req.valid('param')
    const place = placeOf(letterid)
    await audit?.note(c, { action: 'redriveDeadLetter', subject: letterid })
    const redriven = await redriveLetter(sql, place)
    if (redriven) return reply(202, toSummary(redriven))
    const { reason } = (await readLetter(sql, place)) ?? notFound()
    throw new Problem('not-redrivable', { detail: reason })
  })

  app.addRoute(redriveMany, async (c) => {
    const { all: _, bookid, ...rest } = c.req.valid('json')
    await audit?.note(c, { action: 'redriveDeadLetters', subject: JSON.stringify({ bookid, ...rest }) })
    const { until, ...redriven } = await redriveLike(sql, { ...rest, subject: bookid }, redriveMax)
    return reply(202, { ...redriven, until: until.toISOString() })
  })

  app.addRoute(deleteLetter, async (c) => {
    const { letterid } = c.req.valid('param')
    await audit?.note(c, { action: 'dropDeadLetter', subject: letterid })
    if ((await dropLetters(sql, placeOf(letterid))) === 0) notFound()
    return c.body(null, 204, safeHeaders)
  })
}

function notFound(): never {
  throw new Problem('not-found', {
    detail: 'No such dead letter. It was never set aside, it was handled meanwhile, or it was dropped.',
  })
}

function customerIn(message: object | null): string | undefined {
  const { userid } = (message as Partial<Envelope> | null)?.data ?? {}
  return typeof userid === 'string' ? userid : undefined
}

/** Text in it may be anything, but it is JSON again when it is sent. */
function messageOf(fields: Fields): object | null {
  try {
    return fromFields(fields)[0] ?? null
  } catch {
    return null
  }
}
