/** Stock, as the pages use it. */
import { z } from 'zod'
import type { Api, Operation } from './call.ts'
import { pageSchema } from './page.ts'

export const rulesSchema = z.object({
  queueMax: z.int(),
  queuePerCopy: z.int().nullable(),
  pickupDays: z.int().nullable(),
  pullStep: z.boolean(),
  onePerBook: z.boolean(),
  waitDays: z.int().nullable(),
  lend: z.boolean(),
})
export type Rules = z.output<typeof rulesSchema>

export const stockSchema = z.object({
  bookid: z.string(),
  title: z.string(),
  author: z.string(),
  isbn: z.string(),
  qty: z.int(),
  held: z.int(),
  out: z.int().nullable(),
  owned: z.int().nullable(),
  waiting: z.int().nullable(),
  onOrder: z.int().nullable(),
  rules: rulesSchema.nullable(),
})
export type Stock = z.output<typeof stockSchema>

/** A copy to fetch, or one on the hold shelf. */
export const taskSchema = z.object({
  reservationid: z.string(),
  bookid: z.string(),
  title: z.string(),
  author: z.string(),
  isbn: z.string(),
  userid: z.string(),
  since: z.string(),
  pickupBy: z.string().nullable(),
})
export type Task = z.output<typeof taskSchema>
export type TaskKind = 'pull' | 'ready'

/** A status may be newer than this program. */
export const holdSchema = z.object({
  reservationid: z.string(),
  bookid: z.string(),
  userid: z.string(),
  status: z.string(),
  pickupBy: z.string().nullable(),
})
export type Hold = z.output<typeof holdSchema>

export const holdChangeSchema = z.object({
  status: z.enum(['Ready', 'Collected', 'Returned', 'Waiting']).optional(),
  userid: z.string().optional(),
  cause: z.literal('Lost').optional(),
  pickupBy: z.string().optional(),
})
export type HoldChange = z.output<typeof holdChangeSchema>

export const withdrawalSchema = z.object({
  bookid: z.string(),
  qty: z.int(),
  reason: z.literal('Damaged'),
  evenHeld: z.boolean(),
})

/** How long stock may take to commit a change, in seconds. */
const commitS = 5

/** By their `operationId`. */
export const operations = {
  getStock: { method: 'GET', path: '/stocks/{bookid}', answer: stockSchema },
  listTasks: {
    method: 'GET',
    path: '/tasks',
    query: ['kind', 'bookid', 'ending', 'limit', 'after'],
    answer: pageSchema('tasks', taskSchema),
  },
  getHold: { method: 'GET', path: '/holds/{reservationid}', answer: holdSchema },
  changeHold: {
    method: 'PATCH',
    path: '/holds/{reservationid}',
    body: holdChangeSchema,
    answer: holdSchema,
  },
  withdrawCopies: { method: 'POST', path: '/withdrawals', body: withdrawalSchema, answer: stockSchema },
} as const satisfies Record<string, Operation>

export class StockApi {
  readonly #api: Api

  constructor(api: Api) {
    this.#api = api
  }

  stock = (bookid: string) => this.#api.read(operations.getStock, { params: { bookid } })

  tasks = (query: { kind: TaskKind; bookid?: string; ending?: string; limit?: number; after?: string }) =>
    this.#api.call(operations.listTasks, { query })

  hold = (reservationid: string) => this.#api.read(operations.getHold, { params: { reservationid } })

  changeHold = (reservationid: string, body: HoldChange, key: string) =>
    this.#api.call(operations.changeHold, { params: { reservationid }, body, key, waitS: commitS })

  withdraw = (body: z.output<typeof withdrawalSchema>, key: string) =>
    this.#api.call(operations.withdrawCopies, { body, key, waitS: commitS })
}
