/** The book list: what stock told about each book last. Versions decide what is last, never the time of arrival. */
import type { Fragment, Sql } from '../../streams/postgres.ts'
import { fencedRows } from '../../streams/rows.ts'
import type { StockEvent } from '../messages.ts'

export type Listing = {
  bookid: string
  /** Known from receipts only; absent when the batch holds none of the book. */
  about: { title: string; author: string; isbn: string } | undefined
  available: number
  held: number
  version: number
}

/** @returns one listing per book that the events changed: the highest version of its figures, and what was said about it. */
export function listingsOf(events: StockEvent[]): Listing[] {
  const listings = new Map<string, Listing>()
  for (const event of events) {
    const { bookid, available, held, version } = event
    const known = listings.get(bookid)
    const about =
      event.type === 'CopiesReceived'
        ? { title: event.title, author: event.author, isbn: event.isbn }
        : known?.about
    const figures = known && known.version > version ? known : { available, held, version }
    listings.set(bookid, {
      bookid,
      about,
      available: figures.available,
      held: figures.held,
      version: figures.version,
    })
  }
  return [...listings.values()]
}

type Row = Listing & { partition: number }
const counts = { bookid: 'text', available: 'bigint', held: 'bigint', version: 'bigint' } as const

/**
 * A receipt puts a book on the list. One with the version that the list has replaces it: what stood there may have been of an
 * event that was never logged (R6 in `streams/mailbox.ts`).
 */
export const listBooks = (
  sql: Sql,
  listings: (Row & { about: NonNullable<Row['about']> })[],
): Fragment => sql`
  listed as (
    insert into book (bookid, title, author, isbn, available, held, version)
    select bookid, title, author, isbn, available, held, version
    from ${fencedRows(sql, listings, {
      ...counts,
      title: ['text', (it) => it.about.title],
      author: ['text', (it) => it.about.author],
      isbn: ['text', (it) => it.about.isbn],
    })} as b
    on conflict (bookid) do update set
      title = excluded.title, author = excluded.author, isbn = excluded.isbn, available = excluded.available,
      held = excluded.held, version = excluded.version, updated_at = excluded.updated_at
    where book.version < excluded.version or book.version = excluded.version
      and (book.title, book.author, book.isbn, book.available, book.held)
        <> (excluded.title, excluded.author, excluded.isbn, excluded.available, excluded.held)
  )`

/** Any other event changes the figures of a book that is on the list. */
export const countBooks = (sql: Sql, listings: Row[]): Fragment => sql`
  counted as (
    update book set available = b.available, held = b.held, version = b.version, updated_at = clock_timestamp()
    from ${fencedRows(sql, listings, counts)} as b
    where book.bookid = b.bookid
      and (book.version < b.version
        or book.version = b.version and (book.available, book.held) <> (b.available, b.held))
  )`

export type BookRow = {
  bookid: string
  title: string
  author: string
  isbn: string
  available: number
  version: number
  updated_at: Date
}

export type BookQuery = {
  q: string | undefined
  available: boolean | undefined
  after: string
  limit: number
}

/**
 * Books in the order of their ids, at most `limit`. With `q`, those whose id, title, author or ISBN contains it, however people
 * spell it (`migrations/0003-book-search.sql`).
 */
export function findBooks(sql: Sql, { q, available, after, limit }: BookQuery): Promise<BookRow[]> {
  const shown = sql`bookid, title, author, isbn, available, version, updated_at`
  const has = available === undefined ? undefined : available ? sql`available > 0` : sql`available = 0`
  if (q === undefined) {
    return sql<BookRow[]>`
      select ${shown} from book where bookid > ${after} ${has ? sql`and ${has}` : sql``} order by bookid limit ${limit}`
  }
  // The limit is reached before anything is read of a book that does not have to be.
  return sql<BookRow[]>`
    select ${shown} from book where bookid in (
      select bookid from book_search as found
      where bookid > ${after} and strpos(key, search_term(${q})) > 0
        and search_grams(key) @> search_needles(search_term(${q}))
        ${has ? sql`and (select ${has} from book where book.bookid = found.bookid)` : sql``}
      order by bookid limit ${limit}
    )
    order by bookid`
}
