/** The changes of a batch of commands, on top of the state that was loaded. */
import type { Delivery } from '../../streams/handler.ts'
import type { Fragment, Sql } from '../../streams/postgres.ts'
import type { StockCommand, StockEvent } from '../messages.ts'
import { type BlockRow, deleteBlocks, upsertBlocks } from './blocks.ts'
import { type Book, unknownBook } from './book.ts'
import { type Hold, holdAfter, isOver } from './hold.ts'
import { insertPurchases, type OrderedRow, type ReceivedRow, receivePurchases } from './purchases.ts'
import { isUntended } from './queue.ts'
import { isOriginal, type Rules } from './rules.ts'
import type { HeldCopy, StockState } from './state.ts'
import * as store from './store.ts'
import { Waits } from './waits.ts'

/** The installation and the time, for decisions. */
export type Surroundings = {
  /** Merges a book's rules with the installation's. */
  rulesOf(book: Book): Rules
  /** @returns the deadline of a copy that is put on the hold shelf now; null without one. */
  pickupBy(rules: Rules): string | null
  /** @returns when a wait that begins now ends; null if it does not. */
  lapsesAt(rules: Rules): string | null
}

export class Changes {
  readonly #memory: store.Memory
  readonly #surroundings: Surroundings
  readonly #loaded: ReadonlyMap<string, Book>
  readonly #waits = new Waits()
  /** By book and customer: the reservations with a claim, as far as the batch needs them. */
  readonly #claimants = new Map<string, Set<string>>()
  readonly #books = new Map<string, store.BookRow>()
  readonly #newHolds = new Map<string, store.HoldRow>()
  readonly #changedHolds = new Map<string, store.HoldRow>()
  readonly #claims = new Map<string, store.ClaimRow>()
  readonly #ended = new Map<string, store.EndedRow>()
  readonly #forgotten = new Map<string, store.EndedRow>()
  readonly #blocks = new Map<string, BlockRow>()
  readonly #tended = new Map<string, store.UntendedRow>()
  readonly #commands = new Map<string, store.CommandRow>()
  readonly #ordered: OrderedRow[] = []
  readonly #received: ReceivedRow[] = []

  constructor(memory: store.Memory, claims: store.Claims | undefined, surroundings: Surroundings) {
    this.#memory = memory
    this.#surroundings = surroundings
    this.#loaded = new Map(memory.books)
    if (claims) this.#addClaims(claims)
  }

  #addClaims({ queues, heldLast, ofCustomers }: store.Claims): void {
    for (const claim of [...queues, ...heldLast, ...ofCustomers]) {
      const { reservationid } = claim
      this.#setClaimed(claim, true)
      if (!this.#memory.holds.has(reservationid))
        this.#memory.holds.set(reservationid, store.holdOfClaim(claim))
    }
    for (const [bookid, of] of Map.groupBy(queues, (it) => it.bookid)) {
      const waits = of.map(({ reservationid, userid, place, turn }) => ({
        reservationid,
        userid,
        place: place!,
        turn,
      }))
      this.#waits.load(bookid, waits, waits.length === this.#loaded.get(bookid)!.waiting)
    }
  }

  /** @throws if the reservation belongs to another book: deciding it would hold or release a copy of the wrong one. */
  stateFor(message: StockCommand): StockState {
    const { books, holds, blocked, handled } = this.#memory
    const { bookid } = message
    const book = books.get(bookid) ?? unknownBook(bookid)
    const reservationid = 'reservationid' in message ? message.reservationid : undefined
    const known = reservationid === undefined ? undefined : ofBook(bookid, reservationid, holds)
    const rules = this.#surroundings.rulesOf(book)
    const ruled = !isOriginal(rules)
    return {
      book,
      reservationid,
      hold: known?.hold,
      userid: known?.userid,
      blocked: reservationid !== undefined && blocked.has(reservationid),
      lent: known?.hold.status === 'collected' && this.#hasClaim(reservationid!, known.claimed),
      handled: 'commandid' in message && handled.has(message.commandid),
      rules,
      queue: book.waiting > 0 ? this.#waits.headOf(bookid) : [],
      heldLast: message.type === 'WithdrawCopies' && message.evenHeld ? this.#heldLast(bookid) : [],
      twin: rules.onePerBook && message.type === 'ReserveCopy' ? this.#twinOf(message) : undefined,
      shelf: { rules, pickupBy: ruled ? this.#surroundings.pickupBy(rules) : null },
      lapsesAt: ruled ? this.#surroundings.lapsesAt(rules) : null,
    }
  }

  #hasClaim(reservationid: string, before: boolean): boolean {
    return this.#claims.has(reservationid) || (before && !this.#ended.has(reservationid))
  }

  #heldLast(bookid: string): HeldCopy[] {
    const held: (HeldCopy & { ready: boolean })[] = []
    for (const [reservationid, { bookid: its, userid, hold }] of this.#memory.holds) {
      if (its !== bookid || (hold.status !== 'held' && hold.status !== 'ready')) continue
      const { place, turn } = hold
      held.push({ reservationid, userid, place, turn, ready: hold.status === 'ready' })
    }
    return held.sort((a, b) => Number(a.ready) - Number(b.ready) || (b.place ?? 0) - (a.place ?? 0))
  }

  #setClaimed(
    { bookid, userid, reservationid }: store.Customer & { reservationid: string },
    claimed: boolean,
  ) {
    const customer = `${bookid} ${userid}`
    const theirs = this.#claimants.get(customer)
    if (!claimed) theirs?.delete(reservationid)
    else if (theirs) theirs.add(reservationid)
    else this.#claimants.set(customer, new Set([reservationid]))
  }

  #twinOf({ bookid, userid, reservationid: own }: store.Customer & { reservationid: string }) {
    for (const reservationid of this.#claimants.get(`${bookid} ${userid}`) ?? []) {
      if (reservationid === own) continue
      const { status } = this.#memory.holds.get(reservationid)!.hold
      if (status === 'waiting' || status === 'held' || status === 'ready' || status === 'collected')
        return { reservationid, status }
    }
    return undefined
  }

  #changeClaim(
    { reservationid, forget, block }: Extract<StockCommand, { type: 'ClaimHold' }>,
    partition: number,
    rules: Rules,
  ): void {
    if (forget) this.#forget(reservationid, partition)
    else if (block === undefined) this.#addClaim(reservationid, partition, rules)
    else this.#block({ partition, reservationid, block })
  }

  /** A block may arrive before its reservation. */
  #block(row: BlockRow): void {
    const { reservationid, block } = row
    const known = this.#memory.holds.get(reservationid)
    if (block && known && isOver(known.hold)) return
    if (block) this.#memory.blocked.add(reservationid)
    else this.#memory.blocked.delete(reservationid)
    this.#blocks.set(reservationid, row)
  }

  /** Adds the claim that a hold from before its book had rules lacks. */
  #addClaim(reservationid: string, partition: number, rules: Rules): void {
    const known = this.#memory.holds.get(reservationid)
    if (known?.hold.status !== 'held' || this.#hasClaim(reservationid, known.claimed)) return
    const kind = claimOf(known.hold, rules)
    if (kind === undefined) return
    const { claimed: _, ...its } = known
    this.#claims.set(reservationid, { ...its, partition, reservationid, kind })
    this.#setClaimed({ ...its, reservationid }, true)
  }

  /** A hold that this batch changes keeps the name: a statement changes a row once, and the message is sent again. */
  #forget(reservationid: string, partition: number): void {
    const known = this.#memory.holds.get(reservationid)
    if (!known || !isOver(known.hold) || this.#hasClaim(reservationid, known.claimed)) return
    if (this.#newHolds.has(reservationid) || this.#changedHolds.has(reservationid)) return
    this.#memory.holds.set(reservationid, { ...known, userid: '' })
    this.#forgotten.set(reservationid, { partition, reservationid })
    this.#block({ partition, reservationid, block: null })
  }

  add(delivery: Delivery<StockCommand>, { book, rules, lapsesAt }: StockState, events: StockEvent[]): void {
    const { partition, message } = delivery
    const { bookid } = message
    this.#memory.books.set(bookid, book)
    if (events.length > 0) this.#books.set(bookid, { ...book, partition })
    if ('commandid' in message && !this.#memory.handled.has(message.commandid)) {
      const { commandid } = message
      this.#memory.handled.add(commandid)
      this.#commands.set(commandid, { partition, commandid, bookid, refused: null })
    }
    if (message.type === 'ClaimHold') this.#changeClaim(message, partition, rules)
    if (message.type === 'TendQueue') this.#tended.set(bookid, { partition, bookid })
    for (const event of events) {
      if ('reservationid' in event) this.#addToHold(event, partition, rules, lapsesAt)
      if (event.type === 'CommandRefused') this.#commands.get(event.commandid)!.refused = event.reason
      if (event.type === 'CopiesOrdered') this.#ordered.push({ ...event, partition, received: false })
      if (event.type === 'CopiesReceived' && event.purchaseid)
        this.#addReceived(event.purchaseid, bookid, partition)
    }
  }

  #addToHold(
    event: Extract<StockEvent, { reservationid: string }>,
    partition: number,
    rules: Rules,
    lapsesAt: string | null,
  ): void {
    const { reservationid, bookid, userid } = event
    const known = this.#memory.holds.get(reservationid)
    const hold = holdAfter(known?.hold, event, lapsesAt)
    if (hold === known?.hold) return
    this.#waits.follow(event)
    this.#forgotten.delete(reservationid)
    const isNew = this.#newHolds.has(reservationid) || !known
    const row = { partition, reservationid, bookid, userid, hold }
    ;(isNew ? this.#newHolds : this.#changedHolds).set(reservationid, row)
    const claimed = known?.claimed ?? false
    this.#memory.holds.set(reservationid, { bookid, userid, hold, claimed })
    const kind = claimOf(hold, rules)
    if (kind || this.#claimants.size > 0) this.#setClaimed(event, kind !== undefined)
    if (kind) {
      this.#claims.set(reservationid, { ...row, kind })
      this.#ended.delete(reservationid)
    } else if (claimed || this.#claims.has(reservationid)) {
      this.#claims.delete(reservationid)
      if (claimed) this.#ended.set(reservationid, { partition, reservationid })
    }
  }

  /** A statement cannot update a row that it inserts, so a purchase ordered in this batch is inserted as received. */
  #addReceived(purchaseid: string, bookid: string, partition: number): void {
    const ordered = this.#ordered.find((it) => it.purchaseid === purchaseid && it.bookid === bookid)
    if (ordered) ordered.received = true
    else this.#received.push({ partition, bookid, purchaseid })
  }

  /** Books whose queue is not finished. */
  untended(): store.UntendedRow[] {
    return [...this.#books.values()].filter(
      (it) => it.waiting > 0 && isUntended(it, this.#surroundings.rulesOf(it)),
    )
  }

  /** The parts of the commit statement. */
  writes(sql: Sql): Fragment[] {
    const { counts = [], books = [] } = Object.groupBy(this.#books.values(), (book) =>
      onlyCountsChanged(this.#loaded.get(book.bookid), book) ? 'counts' : 'books',
    )
    const { blocks = [], unblocks = [] } = Object.groupBy(this.#blocks.values(), ({ block }) =>
      block ? 'blocks' : 'unblocks',
    )
    const untended = this.untended()
    for (const { bookid } of untended) this.#tended.delete(bookid)
    return [
      counts.length > 0 && store.updateCounts(sql, counts),
      books.length > 0 && store.upsertBooks(sql, books),
      this.#newHolds.size > 0 && store.insertHolds(sql, [...this.#newHolds.values()]),
      this.#changedHolds.size > 0 && store.updateHolds(sql, [...this.#changedHolds.values()]),
      this.#claims.size > 0 && store.upsertClaims(sql, [...this.#claims.values()]),
      this.#ended.size > 0 && store.deleteClaims(sql, [...this.#ended.values()]),
      this.#forgotten.size > 0 && store.forgetHolds(sql, [...this.#forgotten.values()]),
      blocks.length > 0 && upsertBlocks(sql, blocks),
      unblocks.length > 0 && deleteBlocks(sql, unblocks),
      untended.length > 0 && store.insertUntended(sql, untended),
      this.#tended.size > 0 && store.deleteUntended(sql, [...this.#tended.values()]),
      this.#commands.size > 0 && store.insertCommands(sql, [...this.#commands.values()]),
      this.#ordered.length > 0 && insertPurchases(sql, this.#ordered),
      this.#received.length > 0 && receivePurchases(sql, this.#received),
    ].filter((it) => it !== false)
  }
}

function ofBook(bookid: string, reservationid: string, holds: store.Memory['holds']) {
  const known = holds.get(reservationid)
  if (known && known.bookid !== bookid) {
    throw new Error(`Reservation ${reservationid} is for book ${known.bookid}, not ${bookid}`)
  }
  return known
}

/** @returns undefined if the hold needs no claim: it has ended, or its book has no rules. */
function claimOf(hold: Hold, rules: Rules): store.Claim['kind'] | undefined {
  switch (hold.status) {
    case 'waiting':
    case 'ready':
      return hold.status
    case 'held':
      return hold.place !== undefined || !isOriginal(rules) ? 'held' : undefined
    case 'collected':
      return rules.lend ? 'out' : undefined
    default:
      return undefined
  }
}

const onlyCountsChanged = (before: Book | undefined, book: Book) =>
  before !== undefined &&
  before.title === book.title &&
  before.author === book.author &&
  before.isbn === book.isbn &&
  before.out === book.out &&
  before.waiting === book.waiting &&
  before.lastPlace === book.lastPlace &&
  before.onOrder === book.onOrder &&
  before.rules === book.rules &&
  before.received === book.received &&
  before.shortage === book.shortage &&
  before.requested === book.requested
