/** The calls of operators, which every service has. */
import { z } from 'zod'
import type { Operation } from './call.ts'
import { get, listOf, remove } from './operation.ts'
import { pageSchema } from './page.ts'

/** Up to which a service counts: as many, or more. */
export const lettersCountedMax = 1_000
export const backlogCountedMax = 10_000

export const partitionSchema = z.object({
  partition: z.int(),
  owner: z.string().nullable(),
  leased: z.boolean(),
  epoch: z.int(),
  processed: z.int(),
  lag: z.int().nullable(),
  lagError: z.string().nullable(),
  deadLetters: z.int(),
})
export type Partition = z.output<typeof partitionSchema>

const backlogItemSchema = z.object({
  name: z.string(),
  channel: z.string().nullable(),
  count: z.int(),
  oldestSeconds: z.number().nullable(),
})
export type BacklogItem = z.output<typeof backlogItemSchema>

export const letterSchema = z.object({
  letterid: z.string(),
  partition: z.int(),
  position: z.string(),
  type: z.string().nullable(),
  bookid: z.string().nullable(),
  reason: z.string(),
  status: z.string(),
  redrivable: z.boolean(),
  at: z.string(),
})
export type Letter = z.output<typeof letterSchema>

const openedLetterSchema = letterSchema.extend({
  message: z.unknown().optional(),
  fields: z.array(z.string()),
})
export type OpenedLetter = z.output<typeof openedLetterSchema>

export type LetterFilter = {
  reason?: string | undefined
  bookid?: string | undefined
  partition?: number | undefined
}

/** By their `operationId`. */
export const operations = {
  /** A service that is not ready is an `ApiDown`. */
  getReadiness: get('/readyz', z.object({ status: z.string() })),
  listPartitions: get('/partitions', pageSchema('partitions', partitionSchema)),
  getBacklog: get('/backlog', pageSchema('backlog', backlogItemSchema)),
  listDeadLetters: listOf('/dead-letters', 'deadLetters', letterSchema, 'reason', 'bookid', 'partition'),
  getDeadLetter: get('/dead-letters/{letterid}', openedLetterSchema),
  redriveDeadLetter: { method: 'POST', path: '/dead-letters/{letterid}/redrive', answer: letterSchema },
  /** Those that were set aside later than `until` are left alone. */
  redriveDeadLetters: {
    method: 'POST',
    path: '/dead-letters/redrive',
    body: z.object({
      reason: z.string().optional(),
      bookid: z.string().optional(),
      partition: z.int().optional(),
      until: z.string(),
    }),
    answer: z.object({ redriven: z.int(), more: z.boolean(), until: z.string() }),
  },
  dropDeadLetter: remove('/dead-letters/{letterid}', z.undefined()),
} as const satisfies Record<string, Operation>
