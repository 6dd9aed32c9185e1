/** Stock, as the pages use it. */
import { z } from 'zod'
import { Api, type Operation } from './call.ts'
import { operations as forOperators, OperatorsApi } from './operators.ts'

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

/** By their `operationId`. */
export const operations = {
  getStock: { method: 'GET', path: '/stocks/{bookid}', answer: stockSchema },
  ...forOperators,
} as const satisfies Record<string, Operation>

export class StockApi {
  readonly #api: Api
  readonly operators: OperatorsApi

  constructor(url: string) {
    this.#api = new Api('stock', url)
    this.operators = new OperatorsApi(this.#api)
  }

  stock = (bookid: string) => this.#api.read(operations.getStock, { params: { bookid } })
}
