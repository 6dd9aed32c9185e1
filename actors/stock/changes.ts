/** What a batch of commands has changed so far, on top of what was loaded. */
import type { Delivery } from '../../streams/handler.ts'
import type { Sql } from '../../streams/postgres.ts'
import type { StockCommand, StockEvent } from '../messages.ts'
import { type Book, type StockState, unknownBook } from './stock.ts'
import * as store from './store.ts'

export class Changes {
  readonly #memory: store.Memory
  /** The books as they were loaded. */
  readonly #before: ReadonlyMap<string, Book>
  readonly #books = new Map<string, store.BookRow>()
  /** The reservations of which nothing was known before. */
  readonly #begun = new Map<string, store.HoldRow>()
  readonly #holds = new Map<string, store.HoldRow>()
  readonly #commands = new Map<string, store.CommandRow>()
  readonly #ordered: store.OrderedRow[] = []
  readonly #received: store.ReceivedRow[] = []

  constructor(memory: store.Memory) {
    this.#memory = memory
    this.#before = new Map(memory.books)
  }

  /** @throws when the message names a reservation of another book: deciding it would take or give a copy of the wrong one. */
  stateFor(message: StockCommand): StockState {
    const { books, holds, handled } = this.#memory
    return {
      book: books.get(message.bookid) ?? unknownBook(message.bookid),
      hold: 'reservationid' in message ? holdFor(message, holds.get(message.reservationid)) : undefined,
      handled: 'commandid' in message && handled.has(message.commandid),
    }
  }

  note(
    { partition, message }: Delivery<StockCommand>,
    { book, hold }: StockState,
    events: StockEvent[],
  ): void {
    const { bookid } = message
    this.#memory.books.set(bookid, book)
    if (events.length > 0) this.#books.set(bookid, { ...book, partition })
    if ('reservationid' in message && hold && hold !== this.#memory.holds.get(message.reservationid)?.hold) {
      const { reservationid, userid } = message
      const isNew = this.#begun.has(reservationid) || !this.#memory.holds.has(reservationid)
      const rows = isNew ? this.#begun : this.#holds
      rows.set(reservationid, { partition, reservationid, bookid, userid, hold })
      this.#memory.holds.set(reservationid, { bookid, hold })
    }
    if ('commandid' in message) {
      this.#memory.handled.add(message.commandid)
      this.#commands.set(message.commandid, { partition, commandid: message.commandid, bookid })
    }
    for (const event of events) {
      if (event.type === 'CopiesOrdered') this.#ordered.push({ ...event, partition, received: false })
      if (event.type === 'CopiesReceived' && event.purchaseid)
        this.#arrived(event.purchaseid, bookid, partition)
    }
  }

  /** A statement does not see the rows that it inserts: a purchase of this very batch is written as received. */
  #arrived(purchaseid: string, bookid: string, partition: number): void {
    const ordered = this.#ordered.find((it) => it.purchaseid === purchaseid && it.bookid === bookid)
    if (ordered) ordered.received = true
    else this.#received.push({ partition, bookid, purchaseid })
  }

  writes(sql: Sql) {
    const { counted = [], changed = [] } = Object.groupBy(this.#books.values(), (book) =>
      onlyCounted(this.#before.get(book.bookid), book) ? 'counted' : 'changed',
    )
    return [
      counted.length > 0 && store.updateCounts(sql, counted),
      changed.length > 0 && store.upsertBooks(sql, changed),
      this.#begun.size > 0 && store.insertHolds(sql, [...this.#begun.values()]),
      this.#holds.size > 0 && store.updateHolds(sql, [...this.#holds.values()]),
      this.#commands.size > 0 && store.insertCommands(sql, [...this.#commands.values()]),
      this.#ordered.length > 0 && store.insertPurchases(sql, this.#ordered),
      this.#received.length > 0 && store.receivePurchases(sql, this.#received),
    ].filter((it) => it !== false)
  }
}

type OfReservation = Extract<StockCommand, { reservationid: string }>

function holdFor({ bookid, reservationid }: OfReservation, known: store.KnownHold | undefined) {
  if (known && known.bookid !== bookid) {
    throw new Error(`Reservation ${reservationid} is of ${known.bookid}, not of ${bookid}`)
  }
  return known?.hold
}

/** Whether nothing changed but the copies. */
const onlyCounted = (before: Book | undefined, book: Book) =>
  before !== undefined &&
  before.title === book.title &&
  before.author === book.author &&
  before.isbn === book.isbn &&
  before.received === book.received &&
  before.shortage === book.shortage &&
  before.requested === book.requested
