/**
 * Handles a batch of commands: loads the books and holds they name, decides them one by one, and returns what to write.
 *
 * Nearly all reservations are new, so their holds are not looked up. If one exists because the command was resent, the
 * commit fails, and the batch is decided again with every lookup.
 */
import { authIn, type Envelope } from '../../streams/envelope.ts'
import type { Delivery, Effects, Handler, OutgoingEvent, Poison } from '../../streams/handler.ts'
import type { Sql } from '../../streams/postgres.ts'
import { step } from '../behavior.ts'
import { parseStockCommand, type StockCommand, type StockEvent } from '../messages.ts'
import type { Book } from './book.ts'
import { BookCache } from './book-cache.ts'
import { Changes, type Surroundings } from './changes.ts'
import { ClaimNeeds } from './claim-needs.ts'
import { stock } from './stock.ts'
import * as store from './store.ts'

export const source = '/stock'

type StockCommandHandlerOptions = {
  sql: Sql
  /** Called once per batch: a deadline begins when a copy is put on the shelf, not when a customer asked for it. */
  surroundings(): Surroundings
  /** Called after the commit with the commands that took effect and the events that were decided. */
  committed(commandids: string[], decided: Decided[]): void
  /** Called after the commit with the books whose queue is not finished. */
  untended(bookids: string[]): void
}

export type Decided = {
  event: StockEvent
  traceparent: string | undefined
  sentAt: string
}

/** Resent commands rarely come alone: after one, holds are looked up for this many batches. */
const lookupBatches = 100

export function stockCommandHandler(options: StockCommandHandlerOptions): Handler<StockCommand> {
  const { sql, surroundings, committed, untended } = options
  const cache = new BookCache()
  let lookupsLeft = 0

  /** Loads what the batch names and the cache lacks. New reservations are looked up while `lookupsLeft` is above 0. */
  async function load(batch: Delivery<StockCommand>[]): Promise<store.Memory> {
    const books = new Map<string, Book>()
    const unread = new Set<string>()
    for (const { message } of batch) {
      const book = cache.get(message.bookid)
      if (book) books.set(book.bookid, book)
      else unread.add(message.bookid)
    }
    const maybeHeld = lookupsLeft > 0 ? batch : batch.filter((it) => it.message.type !== 'ReserveCopy')
    const reservations = unique(maybeHeld.flatMap(reservationOf))
    const handOvers = unique(batch.filter((it) => it.message.type === 'HandOverCopy').flatMap(reservationOf))
    const commands = unique(batch.flatMap(commandOf))
    if (unread.size + reservations.length + commands.length === 0) return { ...store.emptyMemory(), books }
    const memory = await store.load(sql, { books: [...unread], reservations, handOvers, commands })
    for (const [bookid, book] of books) memory.books.set(bookid, book)
    return memory
  }

  /** @returns undefined if no message needs a claim: always, without rules. */
  async function loadClaims(
    batch: Delivery<StockCommand>[],
    { books }: store.Memory,
    { rulesOf }: Surroundings,
  ) {
    const needs = new ClaimNeeds()
    for (const { message } of batch) {
      const book = books.get(message.bookid)
      if (book) needs.add(message, book, rulesOf(book))
    }
    return needs.isEmpty
      ? undefined
      : await store.loadClaims(sql, needs.queues, needs.heldLast, needs.customers)
  }

  return {
    parse: parseStockCommand,

    forget: (partition) => cache.forget(partition),

    async handle(batch, afterRefusal): Promise<Effects> {
      lookupsLeft = afterRefusal ? lookupBatches : Math.max(0, lookupsLeft - 1)
      const memory = await load(batch)
      const now = surroundings()
      const changes = new Changes(memory, await loadClaims(batch, memory, now), now)
      const decided: (Decided & { partition: number })[] = []
      const events: OutgoingEvent[] = []
      const poison: Poison[] = []

      for (const delivery of batch) {
        const { partition, position, envelope, message } = delivery
        try {
          const taken = step(stock, changes.stateFor(message), message)
          changes.add(delivery, taken.state, taken.events)
          for (const [i, event] of taken.events.entries()) {
            events.push({
              partition,
              event: toOutgoing(event, `${partition}/${position}/${i}`, envelope),
            })
            decided.push({ partition, event, traceparent: envelope.traceparent, sentAt: envelope.time })
          }
        } catch (error) {
          poison.push({ partition, position, reason: String(error) })
        }
      }

      const commands = batch.flatMap((it) =>
        commandOf(it).map((commandid) => ({ partition: it.partition, commandid })),
      )
      return {
        events,
        poison,
        writes: changes.writes(sql),
        committed(partitions) {
          for (const [bookid, partition] of partitionsOf(batch)) {
            const book = memory.books.get(bookid)
            if (book && partitions.has(partition)) cache.put(partition, book)
          }
          const unfinished = changes.untended().filter((it) => partitions.has(it.partition))
          if (unfinished.length > 0) untended(unfinished.map((it) => it.bookid))
          committed(
            commands.filter((it) => partitions.has(it.partition)).map((it) => it.commandid),
            decided.filter((it) => partitions.has(it.partition)),
          )
        },
      }
    },
  }
}

/** @param cause the command. Its caller, if known, is that of the event. */
function toOutgoing(event: StockEvent, id: string, cause: Envelope): OutgoingEvent['event'] {
  // The type is an attribute of the envelope, not of the data.
  const { type, ...data } = event
  const { traceparent } = cause
  const auth = authIn(cause)
  const outgoing = { id, type, subject: event.bookid, traceparent, data }
  return auth ? { ...outgoing, ...auth } : outgoing
}

const reservationOf = ({ message }: Delivery<StockCommand>) =>
  'reservationid' in message && message.reservationid !== undefined ? [message.reservationid] : []
const commandOf = ({ message }: Delivery<StockCommand>) => ('commandid' in message ? [message.commandid] : [])
const partitionsOf = (batch: Delivery<StockCommand>[]) =>
  new Map(batch.map((it) => [it.message.bookid, it.partition]))
const unique = (ids: string[]) => [...new Set(ids)]
