/** The baselines: two servers that only use Postgres, and one that does nothing. */
import postgres from 'postgres'
import { demandedOf } from './books.ts'
import type { MeasuredProcess } from './process.ts'
import {
  type Account,
  copiesPerBook,
  createDatabase,
  type Surroundings,
  startScript,
  type Target,
} from './target.ts'
import type { Timing, Workload } from './workloads.ts'

/** How a server stores its books in its database. */
export type Books = {
  stock(sql: postgres.Sql, books: string[]): Promise<void>
  /** Adds copies for the next run. */
  prepare?(sql: postgres.Sql, workload: Workload, timing: Timing): Promise<void>
  account(sql: postgres.Sql): Promise<Account>
}

/** A counter per book, with the largest number of copies. */
export const counted: Books = {
  stock: async (sql, books) => {
    await sql`insert into stock (bookid, qty) select bookid, ${copiesPerBook} from unnest(${books}::text[]) bookid`
  },
  account: async (sql) => {
    const [sums] = await sql<{ held: number; reserved: number }[]>`select
      (select coalesce(sum(${copiesPerBook} - qty), 0) from stock)::float8 as held,
      (select count(*) from reservation where status = 'Reserved')::float8 as reserved`
    return { held: sums!.held, undecided: sums!.held !== sums!.reserved }
  },
}

/** A row per copy. Before each run, as many copies are added as the run can request. */
const copied: Books = {
  stock: async () => {},
  prepare: async (sql, workload, timing) => {
    const demanded = [...demandedOf(workload, timing)]
    const [books, wanted] = [demanded.map(([bookid]) => bookid), demanded.map(([, copies]) => copies)]
    await sql`
      with free as (select bookid, count(*) as copies from copy where reservationid is null group by bookid),
        missing as (
          select bookid, wanted - coalesce(free.copies, 0) as copies
          from unnest(${books}::text[], ${wanted}::int[]) as demanded (bookid, wanted) left join free using (bookid))
      insert into copy (bookid) select bookid from missing, generate_series(1, missing.copies)`
    await sql`vacuum (analyze) copy`
    await sql`checkpoint`
  },
  account: async (sql) => {
    const [sums] = await sql<{ held: number; reserved: number }[]>`select
      (select count(*) from copy where reservationid is not null)::float8 as held,
      (select count(*) from copy join reservation on id = reservationid and status = 'Reserved')::float8 as reserved`
    return { held: sums!.held, undecided: sums!.held !== sums!.reserved }
  },
}

/** @param server whose books are in its own database. */
export async function startTabled(
  around: Surroundings,
  name: string,
  server: (databaseUrl: string) => Promise<MeasuredProcess>,
  books: Books = counted,
): Promise<Target> {
  const databaseUrl = await createDatabase(around.databaseUrl, name)
  const it = await server(databaseUrl)
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} })
  const { prepare } = books
  return {
    name,
    port: it.port,
    processes: [it],
    stop: async () => {
      await sql.end({ timeout: 2 })
      await it.stop()
    },
    stock: (named) => books.stock(sql, named),
    ...(prepare && { prepare: (workload, timing) => prepare(sql, workload, timing) }),
    account: () => books.account(sql),
  }
}

export const startBaseline = (around: Surroundings, name = 'baseline'): Promise<Target> =>
  startTabled(around, name, (databaseUrl) =>
    startScript(name, 'load/bench/baseline/main.ts', { DATABASE_URL: databaseUrl }, around),
  )

export const startSkipLocked = (around: Surroundings, name: string): Promise<Target> =>
  startTabled(
    around,
    name,
    (databaseUrl) =>
      startScript(name, 'load/bench/baseline/skip-locked.ts', { DATABASE_URL: databaseUrl }, around),
    copied,
  )

export async function startEcho(around: Surroundings): Promise<Target> {
  const it = await startScript('echo', 'load/bench/baseline/echo.ts', {}, around)
  return {
    name: 'echo',
    port: it.port,
    processes: [it],
    stop: it.stop,
    stock: async () => {},
    account: async () => ({ held: 0, undecided: false }),
  }
}
