/**
 * Every command and event that crosses a stream. Messages are parsed once, at the edge, and trusted inside.
 * `asyncapi.yaml` documents the same messages; a test compares the two.
 */
import { z } from 'zod'
import type { Envelope } from '../streams/envelope.ts'
import type { Topic } from '../streams/partition.ts'

/** Streams and their owners. A service receives commands in its mailboxes and publishes its own events. */
export const topics = {
  stockMailbox: { owner: 'stock', name: 'mailbox', consumers: ['stock'] },
  /** No entry is trimmed until every consumer listed here has committed it. */
  stockEvents: { owner: 'stock', name: 'events', consumers: ['reservation', 'notifier'] },
} as const satisfies Record<string, Topic>

const qtyMax = 1_000_000_000

/**
 * Ids are printable ASCII without spaces: Postgres and JSON keep them byte for byte, so two different ids never become
 * equal. `.` and `..` are excluded because URLs resolve them.
 */
const idPattern = /^(?!\.\.?$)[\x21-\x7e]+$/
const idLengthMax = 128
export const idSchema = z
  .string()
  .min(1)
  .max(idLengthMax)
  .regex(idPattern, 'must be printable ASCII without spaces, other than . and ..')

/** Text in any language, without what Postgres rejects: NUL and lone surrogates. */
export const textSchema = z
  .string()
  .max(500)
  .refine((text) => text.isWellFormed() && !text.includes('\0'), 'must be well-formed text without NUL')

export const qtySchema = z.int().min(0).max(qtyMax)
/** Producers may send upper case; Postgres returns lower case. */
const uuid = z.uuid().toLowerCase()

const book = { bookid: idSchema }
/** The book after the event. */
const after = { version: z.int().min(0), available: z.int().min(0), held: z.int().min(0) }
const reservation = { reservationid: uuid, userid: idSchema }
/** Marks stock's first answer of this type to a reservation. Repeated answers, and those of older versions, lack it. */
const mark = { first: z.literal(true).optional() }

export const refusalReasons = ['OutOfStock', 'UnknownBook'] as const
export type RefusalReason = (typeof refusalReasons)[number]

export const stockCommandSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('ReceiveCopies'),
    ...book,
    commandid: uuid,
    qty: qtySchema,
    title: textSchema.optional(),
    author: textSchema.optional(),
    isbn: textSchema.optional(),
    purchaseid: uuid.optional(),
  }),
  z.object({ type: z.literal('ReserveCopy'), ...book, ...reservation }),
  z.object({ type: z.literal('ReleaseCopy'), ...book, ...reservation }),
  z.object({
    type: z.literal('OrderCopies'),
    ...book,
    commandid: uuid,
    purchaseid: uuid,
    qty: qtySchema.min(1),
  }),
])
export type StockCommand = z.infer<typeof stockCommandSchema>

export const stockEventSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('CopiesReceived'),
    ...book,
    ...after,
    qty: qtySchema,
    title: textSchema,
    author: textSchema,
    isbn: textSchema,
    purchaseid: uuid.optional(),
  }),
  z.object({ type: z.literal('CopyReserved'), ...book, ...after, ...reservation, ...mark }),
  z.object({
    type: z.literal('ReservationRefused'),
    ...book,
    ...after,
    ...reservation,
    reason: z.enum(refusalReasons),
    ...mark,
  }),
  z.object({ type: z.literal('CopyReleased'), ...book, ...after, ...reservation, ...mark }),
  z.object({ type: z.literal('PurchaseRequested'), ...book, ...after, shortage: z.int().min(1) }),
  z.object({ type: z.literal('CopiesOrdered'), ...book, ...after, purchaseid: uuid, qty: qtySchema.min(1) }),
])
export type StockEvent = z.infer<typeof stockEventSchema>

/** @throws if the envelope holds no valid command to stock. */
export const parseStockCommand = (envelope: Envelope): StockCommand => {
  const { type, subject, data } = envelope
  return plainCommandOf(envelope) ?? stockCommandSchema.parse({ ...data, type, bookid: subject })
}

/** @throws if the envelope holds no valid event of stock. */
export const parseStockEvent = (envelope: Envelope): StockEvent => {
  const { type, subject, data } = envelope
  return plainEventOf(envelope) ?? stockEventSchema.parse({ ...data, type, bookid: subject })
}

/**
 * The most frequent messages are checked without their schema, at a fraction of the cost. Anything that is not exactly what
 * our services write is left to the schema to accept or reject.
 */
function plainCommandOf({ type, subject, data }: Envelope): StockCommand | undefined {
  if (type !== 'ReserveCopy' && type !== 'ReleaseCopy') return undefined
  const { reservationid, userid } = data
  if (!isId(subject) || !isUuid(reservationid) || !isId(userid)) return undefined
  return { type, bookid: subject, reservationid, userid }
}

function plainEventOf({ type, subject, data }: Envelope): StockEvent | undefined {
  if (type !== 'CopyReserved' && type !== 'CopyReleased') return undefined
  const { version, available, held, reservationid, userid, first } = data
  if (!isCount(version) || !isCount(available) || !isCount(held)) return undefined
  if (!isId(subject) || !isUuid(reservationid) || !isId(userid)) return undefined
  if (first !== undefined && first !== true) return undefined
  return first
    ? { type, bookid: subject, version, available, held, reservationid, userid, first }
    : { type, bookid: subject, version, available, held, reservationid, userid }
}

const isId = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= idLengthMax && idPattern.test(value)
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isUuid = (value: unknown): value is string => typeof value === 'string' && plainUuid.test(value)
const plainUuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
