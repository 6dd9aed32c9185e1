/**
 * Every command and event that crosses a stream. Parsed once, at the edge; trusted inside.
 * `asyncapi.yaml` documents the same messages and a test holds the two together.
 */
import { z } from 'zod'
import type { Envelope } from '../streams/envelope.ts'
import type { Topic } from '../streams/partition.ts'

/** Streams by the service that owns their partitions: commands go to its mailboxes, events come from it. */
export const topics = {
  /** Commands to stock. Read by stock alone. */
  stockMailbox: { owner: 'stock', name: 'mailbox', consumers: ['stock'] },
  /** Stock's events. No entry is trimmed before every consumer named here has committed it. */
  stockEvents: { owner: 'stock', name: 'events', consumers: ['reservation', 'notifier'] },
} satisfies Record<string, Topic>

const qtyMax = 1_000_000_000

/**
 * Ids are printable ASCII without spaces: Postgres and JSON agree on them byte for byte,
 * and two different ids can never become equal on the way. Neither `.` nor `..`, which no path can hold: a link to such
 * a thing would lead elsewhere.
 */
const idPattern = /^(?!\.\.?$)[\x21-\x7e]+$/
const idLengthMax = 128
export const idSchema = z
  .string()
  .min(1)
  .max(idLengthMax)
  .regex(idPattern, 'must be printable ASCII without spaces, and neither . nor ..')

/** Text for people: any language, but nothing that Postgres refuses (NUL, half a surrogate pair). */
export const textSchema = z
  .string()
  .max(500)
  .refine((text) => text.isWellFormed() && !text.includes('\0'), 'must be well-formed text without NUL')

export const qtySchema = z.int().min(0).max(qtyMax)
/** Postgres gives ids back in lower case, and producers may spell them as they like. */
const uuid = z.uuid().toLowerCase()

/** What every message about a book says: which book. Its stream's order is the book's order. */
const book = { bookid: idSchema }
/** The book as it stands after the event. */
const after = { version: z.int().min(0), available: z.int().min(0), held: z.int().min(0) }
const reservation = { reservationid: uuid, userid: idSchema }
/**
 * Of an answer: stock gives it for the first time. Answers that are given again do not have it, nor do those of a stock that
 * does not know it yet.
 */
const mark = { first: z.literal(true).optional() }

export const refusalReasons = ['OutOfStock', 'UnknownBook'] as const

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

/** @throws when the envelope carries no command to stock. */
export const parseStockCommand = (envelope: Envelope): StockCommand => {
  const { type, subject, data } = envelope
  return plainCommandOf(envelope) ?? stockCommandSchema.parse({ ...data, type, bookid: subject })
}

/** @throws when the envelope carries no event of stock. */
export const parseStockEvent = (envelope: Envelope): StockEvent => {
  const { type, subject, data } = envelope
  return plainEventOf(envelope) ?? stockEventSchema.parse({ ...data, type, bookid: subject })
}

/**
 * Commands and events that come by the thousand are checked by hand, for a fraction of what a walk through their schema
 * costs. Of what is not exactly as our own services write it, nothing is said here: the schema accepts or refuses it.
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
/** In lower case, as Postgres gives them. */
const isUuid = (value: unknown): value is string => typeof value === 'string' && plainUuid.test(value)
const plainUuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
