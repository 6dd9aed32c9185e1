/** The changes of a batch of commands, on top of the state that was loaded. */
import type { Delivery } from '../../streams/handler.ts'
import type { Sql } from '../../streams/postgres.ts'
import type { StockCommand, StockEvent } from '../messages.ts'
import { type Book, type StockState, unknownBook } from './stock.ts'
import * as store from './store.ts'

export class Changes {
  readonly #memory: store.Memory
  readonly #loaded: ReadonlyMap<string, Book>
  readonly #books = new Map<string, store.BookRow>()
  readonly #newHolds = new Map<string, store.HoldRow>()
  readonly #changedHolds = new Map<string, store.HoldRow>()
  readonly #commands = new Map<string, store.CommandRow>()
  readonly #ordered: store.OrderedRow[] = []
  readonly #received: store.ReceivedRow[] = []

  constructor(memory: store.Memory) {
    this.#memory = memory
    this.#loaded = new Map(memory.books)
  }

  /** @throws if the reservation belongs to another book: deciding it would hold or release a copy of the wrong one. */
  stateFor(message: StockCommand): StockState {
    const { books, holds, handled } = this.#memory
    return {
      book: books.get(message.bookid) ?? unknownBook(message.bookid),
      hold: 'reservationid' in message ? holdFor(message, holds.get(message.reservationid)) : undefined,
      handled: 'commandid' in message && handled.has(message.commandid),
    }
  }

  add(
    { partition, message }: Delivery<StockCommand>,
    { book, hold }: StockState,
    events: StockEvent[],
  ): void {
    const { bookid } = message
    this.#memory.books.set(bookid, book)
    if (events.length > 0) this.#books.set(bookid, { ...book, partition })
    if ('reservationid' in message && hold && hold !== this.#memory.holds.get(message.reservationid)?.hold) {
      const { reservationid, userid } = message
      const isNew = this.#newHolds.has(reservationid) || !this.#memory.holds.has(reservationid)
      const holds = isNew ? this.#newHolds : this.#changedHolds
      holds.set(reservationid, { partition, reservationid, bookid, userid, hold })
      this.#memory.holds.set(reservationid, { bookid, hold })
    }
    if ('commandid' in message) {
      this.#memory.handled.add(message.commandid)
      this.#commands.set(message.commandid, { partition, commandid: message.commandid, bookid })
    }
    for (const event of events) {
      if (event.type === 'CopiesOrdered') this.#ordered.push({ ...event, partition, received: false })
      if (event.type === 'CopiesReceived' && event.purchaseid)
        this.#addReceived(event.purchaseid, bookid, partition)
    }
  }

  /** A statement cannot update a row that it inserts, so a purchase ordered in this batch is inserted as received. */
  #addReceived(purchaseid: string, bookid: string, partition: number): void {
    const ordered = this.#ordered.find((it) => it.purchaseid === purchaseid && it.bookid === bookid)
    if (ordered) ordered.received = true
    else this.#received.push({ partition, bookid, purchaseid })
  }

  /** The parts of the commit statement. */
  writes(sql: Sql) {
    const { counts = [], books = [] } = Object.groupBy(this.#books.values(), (book) =>
      onlyCountsChanged(this.#loaded.get(book.bookid), book) ? 'counts' : 'books',
    )
    return [
      counts.length > 0 && store.updateCounts(sql, counts),
      books.length > 0 && store.upsertBooks(sql, books),
      this.#newHolds.size > 0 && store.insertHolds(sql, [...this.#newHolds.values()]),
      this.#changedHolds.size > 0 && store.updateHolds(sql, [...this.#changedHolds.values()]),
      this.#commands.size > 0 && store.insertCommands(sql, [...this.#commands.values()]),
      this.#ordered.length > 0 && store.insertPurchases(sql, this.#ordered),
      this.#received.length > 0 && store.receivePurchases(sql, this.#received),
    ].filter((it) => it !== false)
  }
}

type OfReservation = Extract<StockCommand, { reservationid: string }>

function holdFor({ bookid, reservationid }: OfReservation, known: store.KnownHold | undefined) {
  if (known && known.bookid !== bookid) {
    throw new Error(`Reservation ${reservationid} is for book ${known.bookid}, not ${bookid}`)
  }
  return known?.hold
}

const onlyCountsChanged = (before: Book | undefined, book: Book) =>
  before !== undefined &&
  before.title === book.title &&
  before.author === book.author &&
  before.isbn === book.isbn &&
  before.received === book.received &&
  before.shortage === book.shortage &&
  before.requested === book.requested
