/** Books and reservations as most people keep them. */
import type postgres from 'postgres'

export async function createTables(sql: postgres.Sql): Promise<void> {
  await sql`create table if not exists stock (
    bookid text primary key, qty bigint not null check (qty >= 0))`
  await sql`create table if not exists reservation (
    id uuid primary key, bookid text not null, userid text not null, status text not null,
    created_at timestamptz not null default now())`
}
