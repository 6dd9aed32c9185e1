/** A dead letter in requests and answers. */
import { z } from '@hono/zod-openapi'
import type { LetterPlace, LetterSummary } from '../../streams/dead-letter.ts'
import { foreignAfter, pageQuery, selfLink, selfSchema, timeKeyFrom } from '../http/paging.ts'

export const letterSchema = z
  .object({
    letterid: z.string(),
    partition: z.int(),
    position: z.string().describe('Of the message in its partition'),
    type: z.string().nullable().describe('Of the message, if it names one'),
    bookid: z.string().nullable().describe('The book that the message is about, if it names one'),
    reason: z.string().describe('Why no retry can make it work'),
    status: z
      .enum(['SetAside', 'Redriving'])
      .describe('`Redriving`: the owner of its partition will handle it again, within seconds'),
    redrivable: z.boolean().describe('`false`: its content could not be kept'),
    at: z.iso.datetime().describe('When it was set aside, for the last time'),
    _links: selfSchema,
  })
  .openapi('DeadLetter')

export const oneLetterSchema = letterSchema
  .extend({
    message: z
      .unknown()
      .describe('The message, a CloudEvent if nothing is wrong with it. `null`: it is not JSON'),
    fields: z
      .array(z.string())
      .describe('The entry of the stream as it was read: field, value, field, value. Empty: not kept'),
  })
  .openapi('DeadLetterWithContent')

export const summaryExample: z.input<typeof letterSchema> = {
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
export const example = { ...summaryExample, message, fields: ['cloudevents', JSON.stringify([message])] }

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
  reason: text(2_100).optional().describe('Exactly this reason'),
  type: text(500).optional().describe('Of the message'),
  bookid: text(500).optional().describe('The book that the message is about'),
}
export const query = z.object({
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

export const redriveSchema = z
  .object({
    ...filters,
    partition: z.int().min(0).max(partitionMax).optional(),
    until: time.optional().describe('Only letters that were set aside up to this time'),
    all: z.literal(true).optional().describe('Redrives letters even without another filter'),
  })
  .refine((it) => Object.values(it).some((value) => value !== undefined), {
    message: 'must have a filter, or "all": true',
  })
  .openapi('Redrive', { minProperties: 1 })

export const redrivenSchema = z
  .object({
    redriven: z.int().describe('How many will be handled again'),
    more: z.boolean().describe('Whether others are like these, and can be redriven'),
    until: z.iso
      .datetime()
      .describe(
        'Repeat the call with it while there are `more`: letters that fail again meanwhile are set aside later than this',
      ),
  })
  .openapi('Redriven')

/** The partition, and the position in it. */
const letterid = /^\d{1,4}-\d{1,20}-\d{1,20}$/
export const letteridOf = ({ partition, position }: LetterPlace) => `${partition}-${position}`

export const params = z.object({
  letterid: z
    .string()
    .regex(letterid, 'must be the letterid of a dead letter')
    .openapi({ example: summaryExample.letterid }),
})

export function toSummary(letter: LetterSummary) {
  const { partition, position, type, subject, reason, redrive, redrivable, at } = letter
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

export function placeOf(id: string): LetterPlace {
  const hyphen = id.indexOf('-')
  return { partition: Number(id.slice(0, hyphen)), position: id.slice(hyphen + 1) }
}

export function keyFrom(after: string) {
  const [at, id] = timeKeyFrom(after)
  if (!letterid.test(id)) throw foreignAfter()
  return { at, ...placeOf(id) }
}
