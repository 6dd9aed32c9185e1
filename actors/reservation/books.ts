/** The book list: each book as stock's event of the highest version describes it, in any order of arrival. */
import type { Fragment, Sql } from '../../streams/postgres.ts'
import { fencedRows } from '../../streams/rows.ts'
import type { StockEvent } from '../messages.ts'

export type Listing = {
  bookid: string
  /** Undefined if the batch has no receipt of the book. */
  about: { title: string; author: string; isbn: string } | undefined
  available: number
  held: number
  out: number
  waiting: number
  version: number
}

/** @returns one listing per book: its counts of the highest version, and its details from the last receipt. */
export function listingsOf(events: StockEvent[]): Listing[] {
  const listings = new Map<string, Listing>()
  for (const event of events) {
    const { bookid, available, held, out = 0, waiting = 0, version } = event
    const known = listings.get(bookid)
    const about =
      event.type === 'CopiesReceived'
        ? { title: event.title, author: event.author, isbn: event.isbn }
        : known?.about
    const latest =
      known && known.version > version ? known : { bookid, available, held, out, waiting, version }
    listings.set(bookid, { ...latest, about })
  }
  return [...listings.values()]
}

type Row = Listing & { partition: number }
const counts = {
  bookid: 'text',
  available: 'bigint',
  held: 'bigint',
  out: 'bigint',
  waiting: 'bigint',
  version: 'bigint',
} as const

/**
 * Adds received books to the list. A receipt of an equal version replaces the row, which may come from an event that was
 * never logged (R6 in `streams/mailbox.ts`).
 */
export const upsertBooks = (
  sql: Sql,
  listings: (Row & { about: NonNullable<Row['about']> })[],
): Fragment => sql`
  upserted_books as (
    insert into book (bookid, title, author, isbn, available, held, out, waiting, version)
    select bookid, title, author, isbn, available, held, out, waiting, version
    from ${fencedRows(sql, listings, {
      ...counts,
      title: ['text', (it) => it.about.title],
      author: ['text', (it) => it.about.author],
      isbn: ['text', (it) => it.about.isbn],
    })} as b
    on conflict (bookid) do update set
      title = excluded.title, author = excluded.author, isbn = excluded.isbn, available = excluded.available,
      held = excluded.held, out = excluded.out, waiting = excluded.waiting, version = excluded.version,
      updated_at = excluded.updated_at
    where book.version < excluded.version or book.version = excluded.version
      and (book.title, book.author, book.isbn, book.available, book.held, book.out, book.waiting)
        <> (excluded.title, excluded.author, excluded.isbn, excluded.available, excluded.held, excluded.out, excluded.waiting)
  )`

/** Updates the counts of books that are on the list. */
export const updateCounts = (sql: Sql, listings: Row[]): Fragment => sql`
  updated_counts as (
    update book set available = b.available, held = b.held, out = b.out, waiting = b.waiting, version = b.version,
      updated_at = clock_timestamp()
    from ${fencedRows(sql, listings, counts)} as b
    where book.bookid = b.bookid
      and (book.version < b.version
        or book.version = b.version
          and (book.available, book.held, book.out, book.waiting) <> (b.available, b.held, b.out, b.waiting))
  )`

export type BookRow = {
  bookid: string
  title: string
  author: string
  isbn: string
  available: number
  /** The sum of available, held and out. */
  owned: number
  waiting: number
  version: number
  updated_at: Date
}

type BookQuery = {
  q: string | undefined
  available: boolean | undefined
  after: string
  limit: number
}

const shown = (sql: Sql) => sql`
  bookid, title, author, isbn, available, available + held + out as owned, waiting, version, updated_at`

export async function findBook(sql: Sql, bookid: string): Promise<BookRow | undefined> {
  const [book] = await sql<BookRow[]>`select ${shown(sql)} from book where bookid = ${bookid}`
  return book
}

/**
 * Finds at most `limit` books, ordered by id. With `q`, only those whose id, title, author or ISBN contains it, in any
 * spelling (`migrations/0003-book-search.sql`).
 */
export function findBooks(sql: Sql, { q, available, after, limit }: BookQuery): Promise<BookRow[]> {
  const has = available === undefined ? undefined : available ? sql`available > 0` : sql`available = 0`
  if (q === undefined) {
    return sql<BookRow[]>`
      select ${shown(sql)} from book where bookid > ${after} ${has ? sql`and ${has}` : sql``} order by bookid limit ${limit}`
  }
  // The limit applies inside, so that only the books of the page are read.
  return sql<BookRow[]>`
    select ${shown(sql)} from book where bookid in (
      select bookid from book_search as found
      where bookid > ${after} and strpos(key, search_term(${q})) > 0
        and search_grams(key) @> search_needles(search_term(${q}))
        ${has ? sql`and (select ${has} from book where book.bookid = found.bookid)` : sql``}
      order by bookid limit ${limit}
    )
    order by bookid`
}
