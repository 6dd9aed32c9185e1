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
 * Rules add a queue (`queue.ts`), a hold shelf with deadlines, hand-over and return (`shelf.ts`). After each event, whatever the
 * rules:
 *
 * BR1. The copies that are available, held or out are those received and not withdrawn. No figure is negative.
 * BR2. The figures count the reservations: those that wait, those whose copy is held, and those whose copy was handed over.
 * BR3. If a customer may have only one reservation of a book, no customer has two active ones, except from before that rule.
 * BR4. Only a copy on the hold shelf expires, and not before its deadline.
 * BR5. A copy is handed over once, to the customer of its reservation.
 * BR6. A reservation takes no step that its state (`hold.ts`) does not allow.
 */
import type { Behavior } from '../behavior.ts'
import type { StockCommand, StockEvent } from '../messages.ts'
import { bookAfter, unknownBook } from './book.ts'
import { changeRules, decline, order, receive, tend, withdraw } from './copies.ts'
import { holdAfter } from './hold.ts'
import { release, reserve } from './reservations.ts'
import { presets } from './rules.ts'
import { expire, extend, handOver, lapse, shelve, takeReturn } from './shelf.ts'
import type { StockState } from './state.ts'

/** Plain switches, because thousands of messages arrive per second; the compiler checks that they are exhaustive. */
export const stock: Behavior<StockState, StockCommand, StockEvent> = {
  initial: (bookid) => ({
    book: unknownBook(bookid),
    reservationid: undefined,
    hold: undefined,
    userid: undefined,
    blocked: false,
    lent: false,
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
      // Nothing happens to the copy; `changes.ts` adds its claim or block, or removes the name of its customer.
      case 'ClaimHold':
        return []
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
