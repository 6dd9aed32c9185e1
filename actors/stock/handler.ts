/**
 * The stock actors of a batch: recalls or loads what the commands concern, decides them one after another, says what to
 * write.
 *
 * Most reservations are new to us, so their holds are not looked for: the commit fails on one that exists (a command that
 * was sent again), and the batch comes back to be decided from what Postgres has.
 */
import type { Delivery, Effects, Handler, OutgoingEvent, Poison } from '../../streams/handler.ts'
import type { Sql } from '../../streams/postgres.ts'
import { step } from '../behavior.ts'
import { parseStockCommand, type StockCommand, type StockEvent } from '../messages.ts'
import { BookCache } from './book-cache.ts'
import { Changes } from './changes.ts'
import { type Book, stock } from './stock.ts'
import * as store from './store.ts'

export const source = '/stock'

export type StockCommandHandlerOptions = {
  sql: Sql
  /** Told after the commit: the commands that have their effect now, and the events that were decided. */
  committed(commandids: string[], decided: Decided[]): void
}

export type Decided = {
  event: StockEvent
  traceparent: string | undefined
  /** When the command was sent. */
  askedAt: string
}

/** One command that was sent again is seldom alone: for so many batches, holds are looked for first. */
const waryBatches = 100

export function stockCommandHandler({ sql, committed }: StockCommandHandlerOptions): Handler<StockCommand> {
  const cache = new BookCache()
  let wary = 0

  /** What is known of everything that the batch names; of reservations that are to be held, only if we are wary. */
  async function recall(batch: Delivery<StockCommand>[]): Promise<store.Memory> {
    const books = new Map<string, Book>()
    const unread = new Set<string>()
    for (const { message } of batch) {
      const book = cache.get(message.bookid)
      if (book) books.set(book.bookid, book)
      else unread.add(message.bookid)
    }
    const asked = wary > 0 ? batch : batch.filter((it) => it.message.type === 'ReleaseCopy')
    const reservations = unique(asked.flatMap(reservationOf))
    const commands = unique(batch.flatMap(commandOf))
    const nothingToRead = unread.size + reservations.length + commands.length === 0
    if (nothingToRead) return { books, holds: new Map(), handled: new Set() }
    const memory = await store.load(sql, [...unread], reservations, commands)
    for (const [bookid, book] of books) memory.books.set(bookid, book)
    return memory
  }

  return {
    parse: parseStockCommand,

    forget: (partition) => cache.forget(partition),

    async handle(batch, fresh): Promise<Effects> {
      wary = fresh ? waryBatches : Math.max(0, wary - 1)
      const memory = await recall(batch)
      const changes = new Changes(memory)
      const decided: (Decided & { partition: number })[] = []
      const events: OutgoingEvent[] = []
      const poison: Poison[] = []

      for (const delivery of batch) {
        const { partition, position, envelope, message } = delivery
        try {
          const taken = step(stock, changes.stateFor(message), message)
          changes.note(delivery, taken.state, taken.events)
          for (const [i, event] of taken.events.entries()) {
            events.push({
              partition,
              event: outgoing(event, `${partition}/${position}/${i}`, envelope.traceparent),
            })
            decided.push({ partition, event, traceparent: envelope.traceparent, askedAt: envelope.time })
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
          committed(
            commands.filter((it) => partitions.has(it.partition)).map((it) => it.commandid),
            decided.filter((it) => partitions.has(it.partition)),
          )
        },
      }
    },
  }
}

function outgoing(event: StockEvent, id: string, traceparent: string | undefined): OutgoingEvent['event'] {
  // The type is an attribute of the envelope.
  const { type, ...data } = event
  return { id, type, subject: event.bookid, traceparent, data }
}

const reservationOf = ({ message }: Delivery<StockCommand>) =>
  'reservationid' in message ? [message.reservationid] : []
const commandOf = ({ message }: Delivery<StockCommand>) => ('commandid' in message ? [message.commandid] : [])
const partitionsOf = (batch: Delivery<StockCommand>[]) =>
  new Map(batch.map((it) => [it.message.bookid, it.partition]))
const unique = (ids: string[]) => [...new Set(ids)]
