/** The state that a message is decided with. */
import type { CommandRefusal, StockEvent } from '../messages.ts'
import { type Book, figuresOf } from './book.ts'
import type { Hold, Whose } from './hold.ts'
import type { Shelf, Wait } from './queue.ts'
import type { Rules } from './rules.ts'

/** A copy that is set aside. */
export type HeldCopy = Whose & { place?: number | undefined; turn?: number | undefined }

/** A book, and the state of the reservation or command that a message names. */
export type StockState = {
  book: Book
  reservationid: string | undefined
  hold: Hold | undefined
  /** The customer of the hold. */
  userid: string | undefined
  /** Whether its copy must not be handed over, because its customer is blocked. */
  blocked: boolean
  /** Whether its copy was handed over to be returned. */
  lent: boolean
  /** Whether the command has already taken effect. */
  handled: boolean
  /** The installation's rules and the book's, merged. */
  rules: Rules
  /** Those who wait, lowest place first: as many as the message may serve. */
  queue: readonly Wait[]
  /** Copies that are set aside: those to take back first come first. Only for `WithdrawCopies`. */
  heldLast: readonly HeldCopy[]
  /** The customer's other active reservation of the book, if its rules allow one. */
  twin: { reservationid: string; status: 'waiting' | 'held' | 'ready' | 'collected' } | undefined
  /** Deadlines that begin now. */
  shelf: Shelf
  /** When a wait that begins now ends. */
  lapsesAt: string | null
}

/** A command of staff without an effect. */
export const refuse = (
  { commandid }: { commandid: string },
  { book }: StockState,
  reason: CommandRefusal,
): StockEvent[] => [{ type: 'CommandRefused', ...figuresOf(book), commandid, reason }]
