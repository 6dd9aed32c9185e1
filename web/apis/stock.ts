/** Stock, as the pages use it. */
import { z } from 'zod'
import type { Operation } from './call.ts'
import { get, listOf, send } from './operation.ts'

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

const book = { bookid: z.string(), title: z.string(), author: z.string(), isbn: z.string() }

export const stockSchema = z.object({
  ...book,
  qty: z.int(),
  held: z.int(),
  out: z.int().nullable(),
  owned: z.int().nullable(),
  waiting: z.int().nullable(),
  onOrder: z.int().nullable(),
  rules: rulesSchema.nullable(),
  ownRules: rulesSchema.partial().nullable().optional(),
  /** Rises with each change. */
  version: z.int(),
})
export type Stock = z.output<typeof stockSchema>

/** A copy to fetch, or one on the hold shelf. */
export const taskSchema = z.object({
  reservationid: z.string(),
  ...book,
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

const holdChangeSchema = z.object({
  status: z.enum(['Ready', 'Collected', 'Returned', 'Waiting']).optional(),
  userid: z.string().optional(),
  cause: z.literal('Lost').optional(),
  pickupBy: z.string().optional(),
})
export type HoldChange = z.output<typeof holdChangeSchema>

export const movementSchema = z.object({
  id: z.string(),
  type: z.string(),
  time: z.string(),
  data: z.record(z.string(), z.unknown()),
})
export type Movement = z.output<typeof movementSchema>

const factsSchema = z.object({
  available: z.int(),
  held: z.int(),
  qty: z.int().optional(),
  reason: z.string().optional(),
  cause: z.string().optional(),
  reservationid: z.string().optional(),
  userid: z.string().optional(),
  place: z.int().optional(),
  /** Whether the reservation leaves the queue. */
  waited: z.boolean().optional(),
  note: z.string().optional(),
})
export type Facts = z.output<typeof factsSchema>

/** The data of a movement, which differ by its type. */
export const factsOf = ({ data }: Movement): Facts => factsSchema.parse(data)

export const waitSchema = z.object({
  reservationid: z.string(),
  userid: z.string(),
  place: z.int(),
  since: z.string(),
  lapsesAt: z.string().nullable(),
})
export type Wait = z.output<typeof waitSchema>

export const requestSchema = z.object({
  bookid: z.string(),
  title: z.string(),
  author: z.string().default(''),
  isbn: z.string().default(''),
  shortage: z.int(),
  owned: z.int().nullable().default(null),
  waiting: z.int().nullable().default(null),
  onOrder: z.int().nullable().default(null),
  requestedAt: z.string(),
})
export type PurchaseRequest = z.output<typeof requestSchema>

export const purchaseSchema = z.object({
  purchaseid: z.string(),
  bookid: z.string(),
  title: z.string().default(''),
  qty: z.int(),
  status: z.string(),
  orderedAt: z.string(),
  receivedAt: z.string().nullable(),
})
export type Purchase = z.output<typeof purchaseSchema>

export const receiptSchema = z.object({
  bookid: z.string(),
  qty: z.int(),
  title: z.string().optional(),
  author: z.string().optional(),
  isbn: z.string().optional(),
  purchaseid: z.string().optional(),
})
export type Receipt = z.output<typeof receiptSchema>

export const withdrawalReasons = ['Lost', 'Damaged', 'Withdrawn', 'Corrected'] as const

export const withdrawalSchema = z.object({
  bookid: z.string(),
  qty: z.int(),
  reason: z.enum(withdrawalReasons),
  evenHeld: z.boolean(),
})
export type Withdrawal = z.output<typeof withdrawalSchema>

/** How long stock waits until an effect is committed, in seconds. */
const waitS = 5

/** By their `operationId`. */
export const operations = {
  /** Its figures and rules are on the page of the book. */
  getStock: { ...get('/stocks/{bookid}', stockSchema), forEveryone: true },
  listTasks: listOf('/tasks', 'tasks', taskSchema, 'kind', 'bookid', 'ending'),
  getHold: get('/holds/{reservationid}', holdSchema),
  changeHold: { ...send('PATCH', '/holds/{reservationid}', holdChangeSchema, holdSchema), waitS },
  listStocks: listOf('/stocks', 'stocks', stockSchema),
  receiveCopies: { ...send('POST', '/stocks', receiptSchema, stockSchema), waitS },
  withdrawCopies: { ...send('POST', '/withdrawals', withdrawalSchema, stockSchema), waitS },
  setRules: { ...send('PUT', '/stocks/{bookid}/rules', rulesSchema.partial(), stockSchema), waitS },
  /** A book without any is refused. */
  listMovements: listOf('/stocks/{bookid}/movements', 'movements', movementSchema),
  /** In the order in which they are served. */
  listQueue: listOf('/stocks/{bookid}/queue', 'queue', waitSchema),
  listPurchaseRequests: listOf('/purchase-requests', 'purchaseRequests', requestSchema),
  declinePurchase: {
    ...send(
      'POST',
      '/purchase-requests/{bookid}/decline',
      z.object({ note: z.string().optional() }),
      z.undefined(),
    ),
    waitS,
  },
  orderCopies: {
    ...send('POST', '/purchases', z.object({ bookid: z.string(), qty: z.int() }), purchaseSchema),
    waitS,
  },
  /** Newest first. */
  listPurchases: listOf('/purchases', 'purchases', purchaseSchema, 'bookid'),
  getPurchase: get('/purchases/{purchaseid}', purchaseSchema),
} as const satisfies Record<string, Operation>
