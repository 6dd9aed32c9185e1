/** The claims that a batch of commands needs to know. */
import type { StockCommand } from '../messages.ts'
import type { Book } from './book.ts'
import { servedMax } from './queue.ts'
import type { Rules } from './rules.ts'
import type { Customer, Wanted } from './store.ts'

/** Of one queue. A batch that would serve more leaves the book untended. */
const headMax = 1_000

export class ClaimNeeds {
  readonly #heads = new Map<string, number>()
  readonly #heldLast = new Map<string, number>()
  readonly #customers = new Map<string, Customer>()
  /** Books whose rules the batch changes: what it needs later may follow from other rules than they have now. */
  readonly #changing = new Set<string>()
  /** How many messages there are: each may end a hold. */
  #count = 0

  add(message: StockCommand, book: Book, rules: Rules): void {
    const { bookid } = message
    if (message.type === 'ReserveCopy') {
      const { userid } = message
      if (rules.onePerBook || this.#changing.has(bookid))
        this.#customers.set(`${bookid} ${userid}`, { bookid, userid })
    } else if (book.waiting > 0) {
      this.#heads.set(bookid, Math.min(headMax, (this.#heads.get(bookid) ?? 0) + leavingMax(message)))
    }
    if (message.type === 'WithdrawCopies' && message.evenHeld) {
      const takenMax = Math.min(message.qty, servedMax)
      this.#heldLast.set(bookid, (this.#heldLast.get(bookid) ?? 0) + takenMax)
    }
    if (message.type === 'ChangeRules') this.#changing.add(bookid)
    this.#count++
  }

  get isEmpty(): boolean {
    return this.#heads.size + this.#heldLast.size + this.#customers.size === 0
  }

  get queues(): Wanted[] {
    return wanted(this.#heads)
  }

  /** More than the batch takes back, because some may be handed over or end in the same batch. */
  get heldLast(): Wanted[] {
    return wanted(this.#heldLast).map(({ bookid, limit }) => ({ bookid, limit: limit + this.#count }))
  }

  get customers(): Customer[] {
    return [...this.#customers.values()]
  }
}

const wanted = (limits: Map<string, number>): Wanted[] =>
  [...limits].filter(([, limit]) => limit > 0).map(([bookid, limit]) => ({ bookid, limit }))

/** How many a message may take out of the queue. */
function leavingMax(message: StockCommand): number {
  switch (message.type) {
    case 'ReceiveCopies':
      return Math.min(message.qty, servedMax)
    case 'TendQueue':
    case 'DeclinePurchase':
      return servedMax
    case 'ReleaseCopy':
    case 'ReturnCopy':
    case 'ExpireHold':
    case 'LapseWait':
    case 'WithdrawCopies':
      return 1
    default:
      return 0
  }
}
