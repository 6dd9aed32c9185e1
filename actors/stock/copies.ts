/** Decides about the copies of a book: receipts, orders, withdrawals, purchases that are declined, and rules. */
import type { StockCommand, StockEvent } from '../messages.ts'
import { figuresOf, moved } from './book.ts'
import { withRequest } from './demand.ts'
import { isHeld } from './hold.ts'
import type { Wait } from './queue.ts'
import { isUntended, refuseAll, serve, servedMax } from './queue.ts'
import { type HeldCopy, refuse, type StockState } from './state.ts'

type Command<Type extends StockCommand['type']> = Extract<StockCommand, { type: Type }>

export function receive(message: Command<'ReceiveCopies'>, { book, queue, shelf }: StockState): StockEvent[] {
  const { qty, title, author, isbn, purchaseid } = message
  const now = moved(book, { available: qty })
  const received: StockEvent = {
    type: 'CopiesReceived',
    ...figuresOf(now),
    qty,
    title: title ?? book.title,
    author: author ?? book.author,
    isbn: isbn ?? book.isbn,
    ...(purchaseid ? { purchaseid } : {}),
  }
  const events = [received, ...serve(now, queue, shelf)]
  return qty > 0 ? withRequest(book, events) : events
}

export const order = ({ purchaseid, qty }: Command<'OrderCopies'>, { book }: StockState): StockEvent[] => [
  { type: 'CopiesOrdered', ...figuresOf(book), purchaseid, qty },
]

/** Those who wait for a book that the library has, or has ordered, go on waiting. */
export function decline(message: Command<'DeclinePurchase'>, state: StockState): StockEvent[] {
  const { book, queue } = state
  if (!book.requested) return refuse(message, state, 'NothingRequested')
  const { note } = message
  const declined: StockEvent = {
    type: 'PurchaseDeclined',
    ...figuresOf(book),
    ...(note === undefined ? {} : { note }),
  }
  return [declined, ...tend({ ...state, book: { ...book, requested: false }, queue })]
}

export const changeRules = ({ rules }: Command<'ChangeRules'>, { book }: StockState): StockEvent[] => [
  { type: 'RulesChanged', ...figuresOf(book), rules },
]

/** Goes on with a queue that one decision could not finish. */
export function tend({ book, rules, queue, shelf }: StockState): StockEvent[] {
  if (!isUntended(book, rules)) return []
  return book.available > 0 ? withRequest(book, serve(book, queue, shelf)) : refuseAll(book, queue)
}

/**
 * Withdraws available copies. If there are too few, those held for the highest places are taken back, if the command says so: first
 * those that are not on the hold shelf yet. With a reservation, the copy that is held for it. A reservation from before the book
 * had a queue has no place, and takes the next one.
 */
export function withdraw(message: Command<'WithdrawCopies'>, state: StockState): StockEvent[] {
  const { qty, reservationid, evenHeld } = message
  const { book, hold, userid, rules } = state
  if (reservationid !== undefined) {
    if (!isHeld(hold)) return refuse(message, state, 'NotHeld')
    const { place, turn } = hold
    return withdrawn(message, state, [{ reservationid, userid: userid!, place, turn }], rules.queueMax > 0)
  }
  const missing = qty - book.available
  if (missing <= 0) return withdrawn(message, state, [], false)
  const taken = evenHeld ? state.heldLast.slice(0, missing) : []
  if (taken.length < missing || missing > servedMax) return refuse(message, state, 'CopiesHeld')
  return withdrawn(message, state, taken, rules.queueMax > 0)
}

function withdrawn(
  { qty, reason }: Command<'WithdrawCopies'>,
  { book, queue, shelf }: StockState,
  copies: readonly HeldCopy[],
  hasQueue: boolean,
): StockEvent[] {
  const events: StockEvent[] = []
  const again: Wait[] = []
  let now = book
  for (const { reservationid, userid, place = now.lastPlace + 1, turn = 1 } of copies) {
    const whose = { reservationid, userid }
    if (hasQueue) {
      const lastPlace = Math.max(now.lastPlace, place)
      now = { ...moved(now, { held: -1, available: 1, waiting: 1 }), lastPlace }
      again.push({ ...whose, place, turn: turn + 1 })
      events.push({
        type: 'CopyTakenBack',
        ...figuresOf(now),
        ...whose,
        place,
        cause: reason,
        turn: turn + 1,
      })
    } else {
      now = moved(now, { held: -1, available: 1 })
      events.push({
        type: 'ReservationRefused',
        ...figuresOf(now),
        ...whose,
        reason: 'CopyWithdrawn',
        first: true,
      })
    }
  }
  now = moved(now, { available: -qty })
  events.push({ type: 'CopiesWithdrawn', ...figuresOf(now), qty, reason })
  // Behind the end of a queue that is longer, others may be next.
  const end = queue.length < book.waiting ? (queue.at(-1)?.place ?? 0) : Number.POSITIVE_INFINITY
  const inOrder = [...again.filter((it) => it.place < end), ...queue].sort((a, b) => a.place - b.place)
  return withRequest(book, [...events, ...serve(now, inOrder, shelf)])
}
