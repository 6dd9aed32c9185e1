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

const count = z.int().min(0)
const book = { bookid: idSchema }
/** The book after the event. `out` and `waiting` are left out while they are 0. */
const after = {
  version: count,
  available: count,
  held: count,
  out: count.min(1).optional(),
  waiting: count.min(1).optional(),
}
const reservation = { reservationid: uuid, userid: idSchema }
/** Marks stock's first answer of this type to a reservation. Repeated answers, and those of older versions, lack it. */
const mark = { first: z.literal(true).optional() }
/** The reservation's number in the order of arrival, which it keeps for good. */
const place = count.min(1)
/** From 2 on: how often the reservation was served, if a copy was taken back meanwhile. */
const turn = { turn: z.int().min(2).optional() }
/** Null if copies of this book may wait on the hold shelf without a deadline. */
const pickupBy = z.iso.datetime().nullable()
const at = z.iso.datetime()

export const stockRefusalReasons = [
  'OutOfStock',
  'UnknownBook',
  'QueueFull',
  'AlreadyReserved',
  'AlreadyHas',
  'NotAcquired',
  'WaitLapsed',
  'CopyWithdrawn',
] as const
/** The last two are decided by the reservation service, which judges customers; stock judges copies. */
export const refusalReasons = [...stockRefusalReasons, 'LimitReached', 'Blocked'] as const
export type RefusalReason = (typeof refusalReasons)[number]
export type StockRefusalReason = (typeof stockRefusalReasons)[number]

/** Why a reservation is canceled. */
export const cancellationCauses = ['Customer', 'CustomerAsked', 'Staff', 'Duplicate'] as const
export type CancellationCause = (typeof cancellationCauses)[number]
export const noteSchema = textSchema.max(200)
const cancellation = { cause: z.enum(cancellationCauses).optional(), note: noteSchema.optional() }

/** Why copies leave the stock. */
export const withdrawalReasons = ['Lost', 'Damaged', 'Withdrawn', 'Corrected'] as const
export type WithdrawalReason = (typeof withdrawalReasons)[number]

/** Why a command of staff had no effect. */
const commandRefusals = [
  'NotHeld',
  'NotReady',
  'NotOut',
  'NotLent',
  'OtherCustomer',
  'CustomerBlocked',
  'CopiesHeld',
  'NothingRequested',
] as const
export type CommandRefusal = (typeof commandRefusals)[number]

/** The rules of a book; see `actors/stock/rules.ts`. A rule that is absent is the installation's. */
export const rulesSchema = z.object({
  queueMax: z.int().min(0).max(1_000_000).optional(),
  queuePerCopy: z.int().min(1).max(1_000).nullable().optional(),
  pickupDays: z.int().min(1).max(365).nullable().optional(),
  pullStep: z.boolean().optional(),
  onePerBook: z.boolean().optional(),
  waitDays: z.int().min(1).max(3_650).nullable().optional(),
  lend: z.boolean().optional(),
})

export type BookRules = z.infer<typeof rulesSchema>

const command = <Type extends string, Data extends z.ZodRawShape>(type: Type, data: Data) =>
  z.object({ type: z.literal(type), ...book, ...data })

export const stockCommandSchema = z.discriminatedUnion('type', [
  command('ReceiveCopies', {
    commandid: uuid,
    qty: qtySchema,
    title: textSchema.optional(),
    author: textSchema.optional(),
    isbn: textSchema.optional(),
    purchaseid: uuid.optional(),
  }),
  /** `wait: false` if the customer wants a copy now or not at all. */
  command('ReserveCopy', { ...reservation, wait: z.boolean().optional() }),
  command('ReleaseCopy', { ...reservation, ...cancellation }),
  command('OrderCopies', { commandid: uuid, purchaseid: uuid, qty: qtySchema.min(1) }),
  command('ShelveCopy', { commandid: uuid, reservationid: uuid }),
  command('ExtendPickup', { commandid: uuid, reservationid: uuid, pickupBy: at }),
  /** `userid` is the customer at the desk, if the desk knows them. */
  command('HandOverCopy', { commandid: uuid, reservationid: uuid, userid: idSchema.optional() }),
  command('ReturnCopy', { commandid: uuid, reservationid: uuid }),
  /** With a reservation, the copy held for it; the reservation waits again. */
  command('WithdrawCopies', {
    commandid: uuid,
    qty: qtySchema.min(1),
    reason: z.enum(withdrawalReasons),
    reservationid: uuid.optional(),
    evenHeld: z.boolean().optional(),
  }),
  command('DeclinePurchase', { commandid: uuid, note: noteSchema.optional() }),
  command('ChangeRules', { commandid: uuid, rules: rulesSchema }),
  /** Sent by stock's clock, with the time at which it looked. */
  command('ExpireHold', { reservationid: uuid, at }),
  command('LapseWait', { reservationid: uuid, at }),
  /** Sent by stock to itself while copies are available and reservations wait. */
  command('TendQueue', {}),
  /**
   * Sent by stock to itself for a copy that was set aside before its book had rules. Sent by the reservation service with
   * `forget`: the hold is over, and no longer names its customer; or with `block`: the copy is not handed over until this
   * time, or until a message with null. Older versions of stock do nothing then.
   */
  command('ClaimHold', {
    reservationid: uuid,
    forget: z.literal(true).optional(),
    block: z.object({ until: at.nullable() }).nullable().optional(),
  }),
])
export type StockCommand = z.infer<typeof stockCommandSchema>

const event = <Type extends string, Data extends z.ZodRawShape>(type: Type, data: Data) =>
  z.object({ type: z.literal(type), ...book, ...after, ...data })

export const stockEventSchema = z.discriminatedUnion('type', [
  event('CopiesReceived', {
    qty: qtySchema,
    title: textSchema,
    author: textSchema,
    isbn: textSchema,
    purchaseid: uuid.optional(),
  }),
  /** With a place, of a book with a queue; `waited` if the reservation leaves the queue. */
  event('CopyReserved', {
    ...reservation,
    place: place.optional(),
    waited: z.literal(true).optional(),
    ...turn,
    ...mark,
  }),
  /** `position` counts the reservations that wait up to and including this one. A repeated answer lacks it. */
  event('ReservationQueued', { ...reservation, place, position: place.optional(), ...mark }),
  event('CopyShelved', { ...reservation, pickupBy, ...turn, ...mark }),
  event('PickupExtended', { ...reservation, pickupBy: at, ...turn }),
  event('CopyHandedOver', { ...reservation, ...mark }),
  event('CopyReturned', { ...reservation, ...mark }),
  event('HoldExpired', { ...reservation, ...mark }),
  /**
   * The copy held for the reservation is gone; it waits again, at its place, which is new if the book had no queue before.
   * `turn` is the next one.
   */
  event('CopyTakenBack', { ...reservation, place, cause: z.enum(withdrawalReasons), turn: z.int().min(2) }),
  event('ReservationRefused', {
    ...reservation,
    reason: z.enum(stockRefusalReasons),
    /** The customer's other reservation of the book, of `AlreadyReserved` and `AlreadyHas`. */
    other: uuid.optional(),
    /** If the reservation leaves the queue. */
    place: place.optional(),
    ...mark,
  }),
  /** With a place if the reservation leaves the queue. */
  event('CopyReleased', { ...reservation, place: place.optional(), ...cancellation, ...mark }),
  event('PurchaseRequested', { shortage: count }),
  event('CopiesOrdered', { purchaseid: uuid, qty: qtySchema.min(1) }),
  event('PurchaseDeclined', { note: noteSchema.optional() }),
  event('CopiesWithdrawn', { qty: qtySchema.min(1), reason: z.enum(withdrawalReasons) }),
  event('RulesChanged', { rules: rulesSchema }),
  /** A command of staff had no effect. */
  event('CommandRefused', { commandid: uuid, reason: z.enum(commandRefusals) }),
])
export type StockEvent = z.infer<typeof stockEventSchema>

/** A command of a loop, not of a request. @param about makes its id, with the time. @param at by Postgres's clock. */
export function loopCommand(source: string, about: string, at: Date, command: StockCommand): Envelope {
  const { type, ...data } = command
  const time = at.toISOString()
  return { specversion: '1.0', id: `${about}/${time}`, source, type, subject: data.bookid, time, data }
}

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
  const { reservationid, userid, wait, cause, note } = data
  if (wait !== undefined || cause !== undefined || note !== undefined) return undefined
  if (!isId(subject) || !isUuid(reservationid) || !isId(userid)) return undefined
  return { type, bookid: subject, reservationid, userid }
}

function plainEventOf({ type, subject, data }: Envelope): StockEvent | undefined {
  if (type !== 'CopyReserved' && type !== 'CopyReleased') return undefined
  const { version, available, held, reservationid, userid, first } = data
  const { out, waiting, place, waited, turn, cause, note } = data
  if (out !== undefined || waiting !== undefined || place !== undefined || waited !== undefined)
    return undefined
  if (turn !== undefined || cause !== undefined || note !== undefined) return undefined
  if (!isCount(version) || !isCount(available) || !isCount(held)) return undefined
  if (!isId(subject) || !isUuid(reservationid) || !isId(userid)) return undefined
  if (first !== undefined && first !== true) return undefined
  return first
    ? { type, bookid: subject, version, available, held, reservationid, userid, first }
    : { type, bookid: subject, version, available, held, reservationid, userid }
}

export const isId = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= idLengthMax && idPattern.test(value)
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isUuid = (value: unknown): value is string => typeof value === 'string' && plainUuid.test(value)
const plainUuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
