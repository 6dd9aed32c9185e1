/** Lists the dead letters of a service, which operators can redrive or drop: what `npm run dead-letters` does. */
import { z } from '@hono/zod-openapi'
import {
  dropLetters,
  type LetterFilter,
  type LetterPlace,
  type LetterSummary,
  pageLetters,
  readLetter,
  redriveLetter,
  redriveLike,
} from '../../streams/dead-letter.ts'
import { type Fields, fromFields } from '../../streams/envelope.ts'
import type { Sql } from '../../streams/postgres.ts'
import type { App } from '../http/app.ts'
import { foreignAfter, pageQuery, replyPage, selfLink, selfSchema, timeKeyFrom } from '../http/paging.ts'
import { Problem, problemResponses } from '../http/problem.ts'
import type { Reads } from '../http/reads.ts'
import { reply, safeHeaders } from '../http/reply.ts'
import { createRoute } from '../http/route.ts'
import { jsonAnswer, jsonBody, pageAnswer } from '../http/schema.ts'
import type { Audit } from '../identity/audit.ts'

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

const letterSchema = z
  .object({
    letterid: z.string(),
    partition: z.int(),
    position: z.string().openapi({ description: 'Of the message in its partition' }),
    type: z.string().nullable().openapi({ description: 'Of the message, if it names one' }),
    bookid: z
      .string()
      .nullable()
      .openapi({ description: 'The book that the message is about, if it names one' }),
    reason: z.string().openapi({ description: 'Why no retry can make it work' }),
    status: z.enum(['SetAside', 'Redriving']).openapi({
      description: '`Redriving`: the owner of its partition will handle it again, within seconds',
    }),
    redrivable: z.boolean().openapi({ description: '`false`: its content could not be kept' }),
    at: z.iso.datetime().openapi({ description: 'When it was set aside, for the last time' }),
    _links: selfSchema,
  })
  .openapi('DeadLetter')

const oneLetterSchema = letterSchema
  .extend({
    message: z.unknown().openapi({
      description: 'The message, a CloudEvent if nothing is wrong with it. `null`: it is not JSON',
    }),
    fields: z.array(z.string()).openapi({
      description: 'The entry of the stream as it was read: field, value, field, value. Empty: not kept',
    }),
  })
  .openapi('DeadLetterWithContent')

const summaryExample: z.input<typeof letterSchema> = {
  letterid: '2-1795488010944-0',
  partition: 2,
  position: '1795488010944-0',
  type: 'BurnCopies',
  bookid: '1',
  reason: 'Error: stock does not know BurnCopies',
  status: 'SetAside',
  redrivable: true,
  at: '2026-11-24T02:40:10.990Z',
  _links: selfLink('/dead-letters/2-1795488010944-0'),
}
const message = {
  specversion: '1.0',
  id: '01a20646-76c0-7b29-af61-e9e4b5d9e512',
  source: '/tools',
  type: 'BurnCopies',
  subject: '1',
  time: '2026-11-24T02:40:10.940Z',
  data: { bookid: '1' },
}
const example = { ...summaryExample, message, fields: ['cloudevents', JSON.stringify([message])] }

const text = (lengthMax: number) =>
  z
    .string()
    .min(1)
    .max(lengthMax)
    .refine((it) => it.isWellFormed() && !it.includes('\0'), 'must be well-formed text without NUL')

const time = z.iso
  .datetime({ offset: true })
  .refine((it) => it >= '2000' && it < '3000', 'must be from 2000 to 2999')
  .transform((it) => new Date(it))
  .openapi({ format: 'date-time' })

const partitionMax = 1_023
const filters = {
  // Longer ones are not kept.
  reason: text(2_100).optional().openapi({ description: 'Exactly this reason' }),
  type: text(500).optional().openapi({ description: 'Of the message' }),
  bookid: text(500).optional().openapi({ description: 'The book that the message is about' }),
}
const query = z.object({
  ...pageQuery,
  ...filters,
  partition: z
    .string()
    .regex(/^\d{1,4}$/, `must be a whole number from 0 to ${partitionMax}`)
    .transform(Number)
    .pipe(z.int().max(partitionMax))
    .optional()
    .openapi({ type: 'integer', minimum: 0, maximum: partitionMax }),
})

const redriveSchema = z
  .object({
    ...filters,
    partition: z.int().min(0).max(partitionMax).optional(),
    until: time.optional().openapi({ description: 'Only letters that were set aside up to this time' }),
    all: z.literal(true).optional().openapi({ description: 'Redrives letters even without another filter' }),
  })
  .refine((it) => Object.values(it).some((value) => value !== undefined), {
    message: 'must have a filter, or "all": true',
  })
  .openapi('Redrive', { minProperties: 1 })

const redrivenSchema = z
  .object({
    redriven: z.int().openapi({ description: 'How many will be handled again' }),
    more: z.boolean().openapi({ description: 'Whether others are like these, and can be redriven' }),
    until: z.iso.datetime().openapi({
      description:
        'Repeat the call with it while there are `more`: letters that fail again meanwhile are set aside later than this',
    }),
  })
  .openapi('Redriven')

/** The partition, and the position in it. */
const letterid = /^\d{1,4}-\d{1,20}-\d{1,20}$/
const letteridOf = ({ partition, position }: LetterPlace) => `${partition}-${position}`

const params = z.object({
  letterid: z
    .string()
    .regex(letterid, 'must be the letterid of a dead letter')
    .openapi({ example: summaryExample.letterid }),
})

const getLetters = createRoute({
  method: 'get',
  path: '/dead-letters',
  operationId: 'listDeadLetters',
  summary: 'List messages that were set aside',
  description: 'Without their content, which may name a customer.',
  tags: ['operator'],
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

const getLetter = createRoute({
  method: 'get',
  path: '/dead-letters/{letterid}',
  operationId: 'getDeadLetter',
  summary: 'A message that was set aside, with its content',
  tags: ['operator'],
  access: ['operator'],
  request: { params },
  responses: { 200: jsonAnswer(oneLetterSchema, 'The dead letter', example), ...problemResponses(404) },
})

const redriveOne = createRoute({
  method: 'post',
  path: '/dead-letters/{letterid}/redrive',
  operationId: 'redriveDeadLetter',
  summary: 'Handle a message again',
  description:
    'The owner of its partition handles it within seconds, out of order, once however often this is called. Then the letter is gone; if it fails again, it stays, with its new reason.',
  tags: ['operator'],
  access: ['operator'],
  request: { params },
  responses: {
    202: jsonAnswer(letterSchema, 'It will be handled again.', { ...summaryExample, status: 'Redriving' }),
    ...problemResponses(404, 409),
  },
})

const redriveMany = createRoute({
  method: 'post',
  path: '/dead-letters/redrive',
  operationId: 'redriveDeadLetters',
  summary: 'Handle messages again, all that are alike',
  description: `At most ${redriveMax} of them, the oldest first. Those that cannot be redriven stay as they are.`,
  tags: ['operator'],
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

const deleteLetter = createRoute({
  method: 'delete',
  path: '/dead-letters/{letterid}',
  operationId: 'dropDeadLetter',
  summary: 'Drop a message, so that it never has an effect',
  description:
    'If it is being handled at that moment, it may have its effect. A command that was never answered may be sent again.',
  tags: ['operator'],
  access: ['operator'],
  request: { params },
  responses: { 204: { description: 'It is deleted' }, ...problemResponses(404) },
})

export function mountDeadLetters({ app, sql, reads, audit }: DeadLettersHttpOptions): void {
  app.addRoute(getLetters, async (c) => {
    const { limit, after, bookid, ...rest } = c.req.valid('query')
    const filter: LetterFilter = { ...rest, subject: bookid }
    const key = after === undefined ? undefined : keyFrom(after)
    const rows = await reads.run((sql) => pageLetters(sql, filter, limit + 1, key), c.req.raw.signal)
    return replyPage(c, 'deadLetters', rows, limit, (row) => [row.exactly, letteridOf(row)], toSummary)
  })

  app.addRoute(getLetter, async (c) => {
    const { letterid } = c.req.valid('param')
    const { fields, ...letter } = (await readLetter(sql, placeOf(letterid))) ?? notFound()
    await audit?.read(c, { action: 'getDeadLetter', subject: letterid })
    return reply(200, { ...toSummary(letter), message: messageOf(fields), fields })
  })

  app.addRoute(redriveOne, async (c) => {
    const { letterid } = c.req.valid('param')
    const place = placeOf(letterid)
    await audit?.changed(c, { action: 'redriveDeadLetter', subject: letterid })
    const redriven = await redriveLetter(sql, place)
    if (redriven) return reply(202, toSummary(redriven))
    const { reason } = (await readLetter(sql, place)) ?? notFound()
    throw new Problem('not-redrivable', { detail: reason })
  })

  app.addRoute(redriveMany, async (c) => {
    const { all: _, bookid, ...rest } = c.req.valid('json')
    await audit?.changed(c, { action: 'redriveDeadLetters', subject: JSON.stringify({ bookid, ...rest }) })
    const { until, ...redriven } = await redriveLike(sql, { ...rest, subject: bookid }, redriveMax)
    return reply(202, { ...redriven, until: until.toISOString() })
  })

  app.addRoute(deleteLetter, async (c) => {
    const { letterid } = c.req.valid('param')
    await audit?.changed(c, { action: 'dropDeadLetter', subject: letterid })
    if ((await dropLetters(sql, placeOf(letterid))) === 0) notFound()
    return c.body(null, 204, safeHeaders)
  })
}

function notFound(): never {
  throw new Problem('not-found', {
    detail: 'No such dead letter. It was never set aside, it was handled meanwhile, or it was dropped.',
  })
}

const toSummary = ({
  partition,
  position,
  type,
  subject,
  reason,
  redrive,
  redrivable,
  at,
}: LetterSummary) => {
  const letterid = letteridOf({ partition, position })
  return {
    letterid,
    partition,
    position,
    type,
    bookid: subject,
    reason,
    status: redrive ? ('Redriving' as const) : ('SetAside' as const),
    redrivable,
    at: at.toISOString(),
    _links: selfLink(`/dead-letters/${letterid}`),
  }
}

function placeOf(id: string): LetterPlace {
  const hyphen = id.indexOf('-')
  return { partition: Number(id.slice(0, hyphen)), position: id.slice(hyphen + 1) }
}

function keyFrom(after: string) {
  const [at, id] = timeKeyFrom(after)
  if (!letterid.test(id)) throw foreignAfter()
  return { at, ...placeOf(id) }
}

/** Text in it may be anything, but it is JSON again when it is sent. */
function messageOf(fields: Fields): unknown {
  try {
    return fromFields(fields)[0] ?? null
  } catch {
    return null
  }
}
