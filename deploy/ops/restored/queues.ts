/**
 * Makes the queues from which positions are read equal to stock's. The same place may be another reservation's since stock was
 * restored, and places may be of reservations that no longer wait.
 */
import type { Sql } from '../../../streams/postgres.ts'
import { rows } from '../../../streams/rows.ts'
import type { Databases } from './installation.ts'
import { pageMax, pages } from './pages.ts'

type Place = { bookid: string; place: number; reservationid: string }
type Key = Pick<Place, 'bookid' | 'place'>

const lowest: Key = { bookid: '', place: 0 }

/** @returns the number of places that were corrected, added or removed. */
export async function correctQueues({ stock, reservation }: Databases): Promise<number> {
  let corrected = 0
  const keyOf = (row: Place): Key => row
  for await (const places of pages(lowest, keyOf, (after) => takenPlaces(stock, after)))
    corrected += await correct(reservation, places)
  for await (const places of pages(lowest, keyOf, (after) => queuedPlaces(reservation, after))) {
    const taken = await placesOf(stock, places)
    const free = places.filter((it) => taken.get(it.reservationid) !== `${it.place} ${it.bookid}`)
    if (free.length > 0) corrected += await remove(reservation, free)
  }
  const bookids = (row: { bookid: string }) => row.bookid
  for await (const books of pages('', bookids, (after) => queuedBooks(reservation, after)))
    await count(reservation, books.map(bookids))
  return corrected
}

const takenPlaces = (sql: Sql, { bookid, place }: Key): Promise<Place[]> => sql<Place[]>`
  select bookid, place, reservationid from claim
  where kind = 'waiting' and (bookid, place) > (${bookid}, ${place}) order by bookid, place limit ${pageMax}`

const queuedPlaces = (sql: Sql, { bookid, place }: Key): Promise<Place[]> => sql<Place[]>`
  select bookid, place, reservationid from queue
  where (bookid, place) > (${bookid}, ${place}) order by bookid, place limit ${pageMax}`

/** @returns the places of those that wait, by their ids. */
async function placesOf(sql: Sql, places: Place[]): Promise<Map<string, string>> {
  const found = await sql<Place[]>`
    select bookid, place, reservationid from claim
    where kind = 'waiting' and reservationid = any(${places.map((it) => it.reservationid)}::uuid[])`
  return new Map(found.map((it) => [it.reservationid, `${it.place} ${it.bookid}`]))
}

async function correct(sql: Sql, places: Place[]): Promise<number> {
  const { count } = await sql`
    insert into queue as q (bookid, place, reservationid)
    select bookid, place, reservationid
    from ${rows(sql, places, { bookid: 'text', place: 'bigint', reservationid: 'uuid' })} as c
    on conflict (bookid, place) do update set reservationid = excluded.reservationid
    where q.reservationid <> excluded.reservationid`
  return count
}

async function remove(sql: Sql, places: Key[]): Promise<number> {
  const { count } = await sql`
    delete from queue q using ${rows(sql, places, { bookid: 'text', place: 'bigint' })} as f
    where q.bookid = f.bookid and q.place = f.place`
  return count
}

/** Books with a queue, or with a tally of one. */
const queuedBooks = (sql: Sql, after: string): Promise<{ bookid: string }[]> => sql<{ bookid: string }[]>`
  (select distinct bookid from queue where bookid > ${after} order by bookid limit ${pageMax})
  union (select distinct bookid from queue_tally where bookid > ${after} order by bookid limit ${pageMax})
  order by bookid limit ${pageMax}`

const count = (sql: Sql, bookids: string[]) => sql`
  with counted as (
    select bookid, place >> 8 as chunk, count(*)::int as waiting from queue
    where bookid = any(${bookids}::text[]) group by 1, 2
  ), emptied as (
    delete from queue_tally t where bookid = any(${bookids}::text[])
      and not exists (select from counted c where c.bookid = t.bookid and c.chunk = t.chunk)
  )
  insert into queue_tally as t (bookid, chunk, waiting) select bookid, chunk, waiting from counted
  on conflict (bookid, chunk) do update set waiting = excluded.waiting where t.waiting <> excluded.waiting`
