/**
 * The titles and authors by which notices name books. They come from stock's receipts, and are written in the commit that moves
 * the offset. A notice is worded with those that are known when it is delivered.
 */
import type { Delivery } from '../../streams/handler.ts'
import type { Fragment, Sql } from '../../streams/postgres.ts'
import { fencedRows } from '../../streams/rows.ts'
import type { StockEvent } from '../messages.ts'

type ReceivedBook = {
  bookid: string
  title: string
  author: string
  version: number
  partition: number
}

/** @returns each book that the batch receives copies of, as its newest receipt describes it. */
export function receivedBooks(batch: Delivery<StockEvent>[]): ReceivedBook[] {
  const books = new Map<string, ReceivedBook>()
  for (const { message, partition } of batch) {
    if (message.type !== 'CopiesReceived') continue
    const { bookid, title, author, version } = message
    if (version > (books.get(bookid)?.version ?? -1))
      books.set(bookid, { bookid, title, author, version, partition })
  }
  return [...books.values()]
}

/** A part of the commit. */
export const rememberBooks = (sql: Sql, books: ReceivedBook[]): Fragment => sql`described as (
  insert into book as b (bookid, title, author, version)
  select r.bookid, r.title, r.author, r.version
  from ${fencedRows(sql, books, { bookid: 'text', title: 'text', author: 'text', version: 'bigint' })} as r
  on conflict (bookid) do update
  set title = excluded.title, author = excluded.author, version = excluded.version
  where b.version < excluded.version
)`
