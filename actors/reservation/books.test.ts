/** The search of `GET /books?q=`, and its cost for updates of counts. */
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { commit } from '../../streams/commit.ts'
import { closePostgres, type Sql } from '../../streams/postgres.ts'
import { range } from '../../tests/doubles/eventually.ts'
import { openDatabase } from '../../tests/harness/database.ts'
import { expectIndexes, openReadsOf } from '../../tests/harness/plans.ts'
import type { StockEvent } from '../messages.ts'
import { findBooks } from './books.ts'
import { stockEventHandler } from './handler.ts'

let database: Awaited<ReturnType<typeof openDatabase>>
let sql: Sql
let reads: Sql
beforeAll(async () => {
  database = await openDatabase('reservation')
  sql = database.sql
  reads = openReadsOf(sql, 'reservation')
})
afterAll(async () => {
  await closePostgres(reads)
  await database[Symbol.asyncDispose]()
})

const nfd = (text: string) => text.normalize('NFD')
type Text = { title?: string; author?: string; isbn?: string }

/** Handles and commits events as the service does. */
async function handle(events: StockEvent[]): Promise<void> {
  const handler = stockEventHandler({ sql, committed() {} })
  const batch = events.map((message) => ({ partition: 0, position: '1-0', envelope: {} as never, message }))
  const { writes, results } = await handler.handle(batch)
  const advances = [{ partition: 0, epoch: 0, from: '0-0', to: '0-0', count: 0, seq: 0 }]
  await commit(sql, { advances, events: [], letters: [], redriven: [], writes, results })
}

const received = (bookid: string, text: Text, version = 1): StockEvent => ({
  type: 'CopiesReceived',
  bookid,
  version,
  available: 1,
  held: 0,
  qty: 1,
  title: '',
  author: '',
  isbn: '',
  ...text,
})

async function found(q: string, more: { available?: boolean; after?: string; limit?: number } = {}) {
  const rows = await findBooks(reads, { q, available: undefined, after: '', limit: 50, ...more })
  return rows.map((it) => it.bookid)
}

test.each([
  ['decomposed', { title: nfd('채식주의자') }, '채식주의자'],
  ['composed', { title: '소년이 온다' }, nfd('소년이')],
  ['two-letters', { title: '아몬드와 흰' }, '몬드'],
  ['one-letter', { title: '뿔' }, '뿔'],
  ['hyphens', { isbn: '978-89-364-3359-8' }, '9788936433598'],
  ['no-hyphens', { isbn: '9788936434120' }, '978-89-364-3412-0'],
  ['begun', { isbn: '9788954682152' }, '978-89-546-82'],
  ['as-written', { isbn: '979-11-5535-001-2' }, '11-5535-00'],
  ['blanks', { isbn: '978 89 7012 345 6' }, 'ISBN 978-89-7012-345-6'],
  ['old', { isbn: '0-8044-2957-X' }, '080442957x'],
  ['older', { isbn: '080442958x' }, 'isbn: 0‑8044‑2958‑X'],
  ['978-0-306-40615-7', {}, '9780306406157'],
  ['no-isbn', { title: 'The war of 1939-1945' }, '1939-1945'],
  ['accent', { author: 'Saint-Exupéry' }, 'SAINT-EXUPERY'],
  ['plain', { author: 'Emile Zola' }, 'émile'],
  ['wide', { title: 'ＭＯＭＯ　の本' }, 'momo の'],
  ['narrow', { title: 'ﾓﾓの冒険' }, 'モモの冒'],
  ['eszett', { title: 'Die Straße' }, 'STRASSE'],
  ['sigma', { title: 'ΟΔΟΣ' }, 'οδος'],
  ['lodz', { author: 'Łódź' }, 'lodz'],
  ['lodz-with-strokes', { author: 'Lodz' }, 'łÓDŹ'],
  ['oeuvre', { title: 'L’Œuvre' }, "l'oeuvre"],
  ['aero', { author: 'Ærøskøbing' }, 'AEROSKOBING'],
  ['dotless', { title: 'Iğdır' }, 'igdir'],
  ['thorn', { author: 'Þórður' }, 'thordur'],
  ['half', { title: '8½' }, '81/2'],
  ['cyrillic', { title: 'МАСТЕР И МАРГАРИТА' }, 'мастер и'],
  ['spaces', { title: 'Two  \t blanks' }, '  two blanks '],
  ['quotes', { title: 'Gulliver’s “Travels”' }, `gulliver's "travels"`],
  ['soft', { title: 'Donau\u00addampf\u200bschiff' }, 'donaudampfschiff'],
  ['percent', { title: '100% a_b \\ c' }, '100% A_B \\'],
  ['ID-of-a-Book', {}, 'id-of'],
  ['across', { title: 'Momo', author: 'Ende' }, 'momo ende'],
])('%s: %j is found by %j', async (bookid, text, q) => {
  await handle([received(bookid, text)])
  expect(await found(q)).toContain(bookid)
})

test('a query that no book contains finds none, and pattern characters are literal', async () => {
  for (const q of ['%%%%%%%%', '_____', '\\\\', '.*', 'zqzqzq', '978-89-000'])
    expect(await found(q), q).toEqual([])
})

test('a blank query finds every book', async () => {
  const all = await found('', { limit: 200 })
  expect(all.length).toBeGreaterThan(0)
  expect(await found(' \u3000 \u200b', { limit: 200 })).toEqual(all)
})

test('pages are ordered by id, with and without a filter on copies', async () => {
  const ids = range(7).map((i) => `page-${i}`)
  await handle(ids.map((bookid) => received(bookid, { title: 'Pages' })))
  await handle([
    {
      type: 'CopyReserved',
      bookid: 'page-3',
      version: 2,
      available: 0,
      held: 1,
      reservationid: crypto.randomUUID(),
      userid: 'ann',
    },
  ])
  expect(await found('pages', { limit: 3 })).toEqual(ids.slice(0, 3))
  expect(await found('pages', { limit: 3, after: 'page-2' })).toEqual(ids.slice(3, 6))
  expect(await found('pages', { available: true })).toEqual(ids.filter((it) => it !== 'page-3'))
  expect(await found('pages', { available: false })).toEqual(['page-3'])
})

test('a book whose title changed is found by the new title only', async () => {
  await handle([received('renamed', { title: 'Before' })])
  await handle([received('renamed', { title: 'Afterwards' }, 2)])
  expect(await found('before')).not.toContain('renamed')
  expect(await found('afterwards')).toEqual(['renamed'])
})

test('counts are HOT updates, and neither they nor a receipt with the same text write to the search table', async () => {
  const counts = async () => {
    const [row] = await sql<{ updates: number; hot: number; written: number }[]>`
      select (select n_tup_upd from pg_stat_user_tables where relid = 'book'::regclass) as updates,
        (select n_tup_hot_upd from pg_stat_user_tables where relid = 'book'::regclass) as hot,
        (select n_tup_ins + n_tup_upd + n_tup_del from pg_stat_user_tables where relid = 'book_search'::regclass) as written`
    return row!
  }
  await handle([received('counted', { title: 'Counted', author: 'Anyone', isbn: '978-3-522-17750-4' })])
  const flush = () => sql`select pg_stat_force_next_flush()`
  await flush()
  const before = await counts()
  for (const version of range(20).map((i) => i + 2)) {
    await handle([
      {
        type: 'CopyReserved',
        bookid: 'counted',
        version,
        available: 0,
        held: 1,
        reservationid: crypto.randomUUID(),
        userid: 'ann',
      },
    ])
  }
  await handle([received('counted', { title: 'Counted', author: 'Anyone', isbn: '978-3-522-17750-4' }, 30)])
  await expect
    .poll(async () => {
      await Promise.all(range(8).map(flush))
      return (await counts()).updates
    })
    .toBe(before.updates + 21)
  const after = await counts()
  expect(after.hot).toBe(before.hot + 21)
  expect(after.written).toBe(before.written)
})

test('books from before the search are found, and so are books that an older version writes', async () => {
  await sql`delete from book_search`
  const fill = await readFile(new URL('./migrations/0004-book-search-fill.sql', import.meta.url), 'utf8')
  await sql.unsafe(fill).simple()
  expect(await found('9788936433598')).toEqual(['hyphens'])
  await sql`insert into book (bookid, title, author, isbn, available, held, version)
    values ('by-old', ${nfd('오래된 책')}, '', '', 1, 0, 1) on conflict (bookid) do update set title = excluded.title`
  expect(await found('오래된')).toEqual(['by-old'])
})

test('books from before letters with strokes were folded are found', async () => {
  await handle([received('before', { title: 'Sør-Trøndelag' }), received('beside', { title: 'Oslo' })])
  await sql`update book_search set key = 'before sør-trøndelag' where bookid = 'before'`
  await sql`update book_search set key = 'left alone' where bookid = 'beside'`
  const file = new URL('./migrations/0005-book-search-letters.sql', import.meta.url)
  await sql.unsafe(await readFile(file, 'utf8')).simple()
  expect(await found('sor-trondelag')).toEqual(['before'])
  expect(await found('left alone')).toEqual(['beside'])
})

test('a rare word in any script is found by the index among many books', async () => {
  for (const from of range(3).map((i) => i * 2_000)) {
    await sql`insert into book (bookid, title, author, isbn, available, held, version)
      select 'many-' || i, '책 제목 ' || md5(i::text), '저자 ' || i % 500,
        '978' || lpad((i * 7919::bigint % 10000000000)::text, 10, '0'), 1, 0, 1
      from generate_series(${from + 1}::int, ${from + 2_000}::int) as i`
  }
  await handle([received('rare', { title: '쀍쀎 뷁' })])
  await sql`analyze book, book_search`
  for (const q of ['쀍쀎', '쀎 뷁']) {
    await expectIndexes(reads, (it) => findBooks(it, { q, available: undefined, after: '', limit: 51 }))
  }
})
