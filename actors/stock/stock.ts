/**
 * The stock of one book, without rules of its own:
 *
 * - Copies that arrive are available. A reservation holds one available copy; a release makes it available again.
 * - A reservation is decided once. A repeated command gets the same answer and changes nothing.
 * - A release may arrive before its reservation. It is remembered, and the late reservation holds no copy.
 * - A reservation is refused, with a reason, when no copy is available. The first refusal requests a purchase; later ones
 *   add to its shortage, until copies are ordered or arrive.
 * - A refused reservation holds no copy. Releasing it just closes it; the shortage still counts it, because the demand was
 *   real.
 *
 * Rules add a queue (`queue.ts`), a hold shelf with deadlines, hand-over and return (`shelf.ts`).
 */
import type { Behavior } from '../behavior.ts'
import type { StockCommand, StockEvent } from '../messages.ts'
import { type Book, bookAfter, unknownBook } from './book.ts'
import { changeRules, decline, order, receive, tend, withdraw } from './copies.ts'
import { type Hold, holdAfter, type Whose } from './hold.ts'
import type { Shelf, Wait } from './queue.ts'
import { release, reserve } from './reservations.ts'
import { presets, type Rules } from './rules.ts'
import { expire, extend, handOver, lapse, shelve, takeReturn } from './shelf.ts'

/** A copy that is set aside. */
export type HeldCopy = Whose & { place?: number | undefined; turn?: number | undefined }

/** A book, and the state of the reservation or command that a message names. */
export type StockState = {
  book: Book
  reservationid: string | undefined
  hold: Hold | undefined
  /** The customer of the hold. */
  userid: string | undefined
  /** Whether the command has already taken effect. */
  handled: boolean
  /** The installation's rules and the book's, merged. */
  rules: Rules
  /** Those who wait, lowest place first: as many as the message may serve. */
  queue: readonly Wait[]
  /** Copies that are set aside: those to take back first come first. Only for `WithdrawCopies`. */
  heldLast: readonly HeldCopy[]
  /** What the customer already has of the book, if its rules allow one. */
  twin: { reservationid: string; status: 'waiting' | 'held' | 'ready' | 'collected' } | undefined
  /** Deadlines that begin now. */
  shelf: Shelf
  /** When a wait that begins now ends. */
  lapsesAt: string | null
}

/** Plain switches, because thousands of messages arrive per second; the compiler checks that they are exhaustive. */
export const stock: Behavior<StockState, StockCommand, StockEvent> = {
  initial: (bookid) => ({
    book: unknownBook(bookid),
    reservationid: undefined,
    hold: undefined,
    userid: undefined,
    handled: false,
    rules: presets.original,
    queue: [],
    heldLast: [],
    twin: undefined,
    shelf: { rules: presets.original, pickupBy: null },
    lapsesAt: null,
  }),

  decide(message, state) {
    switch (message.type) {
      case 'ReserveCopy':
        return reserve(message, state)
      case 'ReleaseCopy':
        return release(message, state)
      case 'ExpireHold':
        return expire(message, state)
      case 'LapseWait':
        return lapse(message, state)
      case 'TendQueue':
        return tend(state)
    }
    if (state.handled) return []
    switch (message.type) {
      case 'ReceiveCopies':
        return receive(message, state)
      case 'OrderCopies':
        return order(message, state)
      case 'ShelveCopy':
        return shelve(message, state)
      case 'ExtendPickup':
        return extend(message, state)
      case 'HandOverCopy':
        return handOver(message, state)
      case 'ReturnCopy':
        return takeReturn(message, state)
      case 'WithdrawCopies':
        return withdraw(message, state)
      case 'DeclinePurchase':
        return decline(message, state)
      case 'ChangeRules':
        return changeRules(message, state)
    }
  },

  /** Of the holds, only that of the message's reservation is part of the state; `changes.ts` keeps the others. */
  evolve(state, event) {
    const book = bookAfter(state.book, event)
    switch (event.type) {
      case 'CopiesReceived':
      case 'CopiesOrdered':
      case 'CopiesWithdrawn':
      case 'PurchaseDeclined':
      case 'RulesChanged':
      case 'CommandRefused':
        return { ...state, book, handled: true }
      case 'PurchaseRequested':
        return { ...state, book }
      default:
        if (event.reservationid !== state.reservationid) return { ...state, book }
        return { ...state, book, hold: holdAfter(state.hold, event, state.lapsesAt) }
    }
  },
}
