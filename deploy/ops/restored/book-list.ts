/**
 * Makes the book list, and the titles that notices name, equal to stock. Events that the list has not read yet then change nothing, and events that were pruned
 * since its backup are made up for.
 */
import type { StockRow } from '../../../actors/stock/queries.ts'
import type { Sql } from '../../../streams/postgres.ts'
import { rows } from '../../../streams/rows.ts'
import type { Databases } from './installation.ts'
import { pageMax, pages } from './pages.ts'

type Book = Omit<StockRow, 'on_order' | 'rules'>

/** @returns the number of books that were corrected, added or removed. */
export async function correctBookList({ stock, reservation, notifier }: Databases): Promise<number> {
  let corrected = 0
  const bookids = (row: { bookid: string }) => row.bookid
  for await (const books of pages('', bookids, (after) => receivedBooks(stock, after))) {
    corrected += await correct(reservation, books)
    await correctTitles(notifier, books)
  }
  for await (const listed of pages('', bookids, (after) => listedBooks(reservation, after))) {
    const known = new Set(await knownBooks(stock, listed.map(bookids)))
    const unknown = listed.map(bookids).filter((it) => !known.has(it))
    if (unknown.length > 0) corrected += await unlist(reservation, unknown)
  }
  return corrected
}

const receivedBooks = (sql: Sql, after: string): Promise<Book[]> => sql<Book[]>`
  select bookid, title, author, isbn, available, held, out, waiting, version from book
  where received and bookid > ${after} order by bookid limit ${pageMax}`

const listedBooks = (sql: Sql, after: string): Promise<{ bookid: string }[]> => sql<{ bookid: string }[]>`
  select bookid from book where bookid > ${after} order by bookid limit ${pageMax}`

async function knownBooks(sql: Sql, bookids: string[]): Promise<string[]> {
  const found = await sql<{ bookid: string }[]>`
    select bookid from book where received and bookid = any(${bookids}::text[])`
  return found.map((row) => row.bookid)
}

/** Corrects rows of an equal version too: the same number may come from events that the restore undid. */
async function correct(sql: Sql, books: Book[]): Promise<number> {
  const { count } = await sql`
    insert into book as b (bookid, title, author, isbn, available, held, out, waiting, version)
    select * from ${rows(sql, books, {
      bookid: 'text',
      title: 'text',
      author: 'text',
      isbn: 'text',
      available: 'bigint',
      held: 'bigint',
      out: 'bigint',
      waiting: 'bigint',
      version: 'bigint',
    })} as s
    on conflict (bookid) do update set title = excluded.title, author = excluded.author, isbn = excluded.isbn,
      available = excluded.available, held = excluded.held, out = excluded.out, waiting = excluded.waiting,
      version = excluded.version, updated_at = clock_timestamp()
    where (b.title, b.author, b.isbn, b.available, b.held, b.out, b.waiting, b.version) is distinct from
      (excluded.title, excluded.author, excluded.isbn, excluded.available, excluded.held, excluded.out,
        excluded.waiting, excluded.version)`
  return count
}

/** A version may be lower than before the restore. */
async function correctTitles(sql: Sql, books: Book[]): Promise<void> {
  await sql`
    insert into book as b (bookid, title, author, version)
    select * from ${rows(sql, books, { bookid: 'text', title: 'text', author: 'text', version: 'bigint' })} as s
    on conflict (bookid) do update
    set title = excluded.title, author = excluded.author, version = excluded.version
    where (b.title, b.author, b.version) is distinct from (excluded.title, excluded.author, excluded.version)`
}

async function unlist(sql: Sql, bookids: string[]): Promise<number> {
  return (await sql`delete from book where bookid = any(${bookids}::text[])`).count
}
