/** The usual tables for books and reservations. */
import type postgres from 'postgres'

export async function createTables(sql: postgres.Sql): Promise<void> {
  await sql`create table if not exists stock (
    bookid text primary key, qty bigint not null check (qty >= 0))`
  await createReservations(sql)
}

/** A row per copy instead of a counter, with an index of the free ones. */
export async function createCopyTables(sql: postgres.Sql): Promise<void> {
  await sql`create table if not exists copy (
    copyid bigint generated always as identity primary key, bookid text not null, reservationid uuid)`
  await sql`create index if not exists free_copy on copy (bookid) where reservationid is null`
  await createReservations(sql)
}

async function createReservations(sql: postgres.Sql): Promise<void> {
  await sql`create table if not exists reservation (
    id uuid primary key, bookid text not null, userid text not null, status text not null,
    created_at timestamptz not null default now())`
}
