/** What the product is measured against: the row lock, and a server that does nothing. */
import postgres from 'postgres'
import type { MeasuredProcess } from './process.ts'
import { copiesPerBook, createDatabase, type Surroundings, startScript, type Target } from './target.ts'

/** @param server that keeps its books in the tables `stock` and `reservation` of its database. */
export async function startTabled(
  around: Surroundings,
  name: string,
  server: (databaseUrl: string) => Promise<MeasuredProcess>,
): Promise<Target> {
  const databaseUrl = await createDatabase(around.databaseUrl, name)
  const it = await server(databaseUrl)
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} })
  return {
    name,
    port: it.port,
    processes: [it],
    stop: async () => {
      await sql.end({ timeout: 2 })
      await it.stop()
    },
    stock: async (books) => {
      await sql`insert into stock (bookid, qty) select bookid, ${copiesPerBook} from unnest(${books}::text[]) bookid`
    },
    account: async () => {
      const [sums] = await sql<{ held: number; reserved: number }[]>`select
        (select coalesce(sum(${copiesPerBook} - qty), 0) from stock)::float8 as held,
        (select count(*) from reservation where status = 'Reserved')::float8 as reserved`
      return { held: sums!.held, undecided: sums!.held !== sums!.reserved }
    },
  }
}

export const startBaseline = (around: Surroundings, name = 'baseline'): Promise<Target> =>
  startTabled(around, name, (databaseUrl) =>
    startScript(name, 'load/bench/baseline/main.ts', { DATABASE_URL: databaseUrl }, around),
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
