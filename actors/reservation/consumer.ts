/** Takes stock's events in: decides reservations, confirms cancellations, keeps the book list. */
import type { Effects, Handler } from '../../streams/handler.ts'
import type { Sql } from '../../streams/postgres.ts'
import { parseStockEvent, type StockEvent } from '../messages.ts'
import { countBooks, type Listing, listBooks, listingsOf } from './books.ts'
import { verdictsOf } from './reservation.ts'
import { applyVerdicts, type Changed, type ChangedColumns, changed, changedRows } from './store.ts'

export type ConsumerOptions = {
  sql: Sql
  /** Told after the commit which reservations the events have changed. */
  committed(changes: Changed[]): void
}

export function stockEventConsumer({ sql, committed }: ConsumerOptions): Handler<StockEvent> {
  return {
    parse: parseStockEvent,

    async handle(batch): Promise<Effects> {
      const events = batch.map((it) => it.message)
      // A book's events, and so a reservation's, all come from one partition.
      const partitionOf = new Map(batch.map((it) => [it.message.bookid, it.partition]))
      const verdicts = verdictsOf(events).map((it) => ({ ...it, partition: partitionOf.get(it.bookid)! }))
      const listings = listingsOf(events).map((it) => ({ ...it, partition: partitionOf.get(it.bookid)! }))
      const received = listings.filter(isReceived)
      const counted = listings.filter((it) => !isReceived(it) && it.version > 0)
      return {
        events: [],
        poison: [],
        writes: [
          verdicts.length > 0 && applyVerdicts(sql, verdicts),
          received.length > 0 && listBooks(sql, received),
          counted.length > 0 && countBooks(sql, counted),
        ].filter((it) => it !== false),
        ...(verdicts.length > 0 ? { results: changed(sql) } : {}),
        committed: (_, results) => committed((results as ChangedColumns[]).flatMap(changedRows)),
      }
    },
  }
}

const isReceived = <It extends Listing>(it: It): it is It & { about: NonNullable<Listing['about']> } =>
  it.about !== undefined
