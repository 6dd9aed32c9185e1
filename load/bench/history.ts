/**
 * A long past, made quickly: some real reservations, every trace of which is then copied many times within Postgres,
 * under other ids. It knows no table by its name, so it goes on being true to whatever the services keep.
 */
import postgres from 'postgres'
import { demandOf } from './books.ts'
import { runClosedLoop } from './closed-loop.ts'
import { type Product, startProduct } from './product.ts'
import { progress } from './progress.ts'
import { settle } from './rounds.ts'
import type { Surroundings } from './target.ts'
import { requestsOf, type Workload, wantedOf } from './workloads.ts'

/** What the runtime keeps about itself, not about the past, and what a trigger fills. */
const timeless = [
  'book_search',
  'mailbox',
  'worker',
  'incarnation',
  'migration',
  'dead_letter',
  'idempotency',
  'undelivered',
]

export type Past = { books: number; reservations: number }

const sampleBooks = 100
const sampleClients = 16
const settleMaxMs = 60_000

/**
 * A product on a database in which lies what years leave behind, though no years of vacuum and bloat. The books that are
 * asked for are among those of the past.
 */
export async function startHistory(around: Surroundings, past: Past, name = 'history'): Promise<Product> {
  const product = await startProduct(around, name)
  try {
    const count = Math.min(sampleBooks, past.books)
    progress(`${name}: making a past of ${past.reservations} reservations of ${past.books} books`)
    await makeSample(product, count, Math.max(1, Math.round(past.reservations / past.books)))
    // The sample itself is the first of the copies.
    await multiplyPast(product.databaseUrl, count, Math.round(past.books / count) - 1)
    return { ...product, account: await accountSince(product) }
  } catch (error) {
    await product.stop()
    throw error
  }
}

/** What was held before is no business of the audit. */
async function accountSince(product: Product): Promise<Product['account']> {
  const { held: before } = await product.account([])
  return async () => {
    const { held, undecided } = await product.account([])
    return { held: held - before, undecided }
  }
}

/** Some reservations, made through the front door, and everything that comes of them. */
async function makeSample(product: Product, count: number, perBook: number): Promise<void> {
  const demand = demandOf('even', count)
  await product.stock(demand.books)
  const workload: Workload = {
    ...{ name: 'past', title: 'the past', clients: sampleClients, ...demand },
    status: 'Reserved',
  }
  const sample = await runClosedLoop({
    ...{ host: '127.0.0.1', port: product.port, clients: sampleClients, requestsMax: count * perBook },
    ...{ warmupMs: 0, measuredMs: settleMaxMs, graceMs: settleMaxMs },
    request: requestsOf(workload, product),
    wanted: wantedOf(workload, product),
  })
  if (sample.wanted < count * perBook)
    throw new Error(`Cannot make a past: of ${count * perBook} reservations ${sample.wanted} were made`)
  await settle(product, [])
}

/** Copies every row of the past, of so many books, `copies` times. @returns rows by table. */
export async function multiplyPast(
  databaseUrl: string,
  books: number,
  copies: number,
): Promise<Record<string, number>> {
  const sql = postgres(databaseUrl, { max: 2, onnotice: () => {} })
  try {
    const rows: Record<string, number> = {}
    for (const { schema, table, columns } of await tablesOf(sql)) {
      const into = `"${schema}"."${table}"`
      const names = columns.map(({ name }) => `"${name}"`).join(', ')
      const values = columns.map((column) => copied(column, books)).join(', ')
      const { count } = await sql.unsafe(
        `insert into ${into} (${names}) select ${values} from ${into} t, generate_series(1, ${copies}) n`,
      )
      rows[`${schema}.${table}`] = count
      await sql.unsafe(`vacuum analyze ${into}`)
    }
    // What was just written is on disk before anything is measured.
    await sql`checkpoint`
    return rows
  } finally {
    await sql.end({ timeout: 2 })
  }
}

type Column = { name: string; type: string }
type Table = { schema: string; table: string; columns: Column[] }

/** Without the columns that Postgres fills itself. */
async function tablesOf(sql: postgres.Sql): Promise<Table[]> {
  return await sql<Table[]>`
    select c.table_schema as schema, c.table_name as table,
      json_agg(json_build_object('name', c.column_name, 'type', c.data_type) order by c.ordinal_position) as columns
    from information_schema.columns c
    join information_schema.tables t using (table_schema, table_name)
    where c.table_schema in ('reservation', 'stock', 'notifier') and t.table_type = 'BASE TABLE'
      and c.table_name <> all(${timeless}) and c.is_identity = 'NO' and c.is_generated = 'NEVER'
    group by 1, 2 order by 1, 2`
}

/** The n-th copy of a value: what names something names another, the same in every table. Books go on being numbered. */
function copied({ name, type }: Column, books: number): string {
  const column = `t."${name}"`
  // The time in a UUID of version 7 stays: ids rise with time, and these are of the past.
  if (type === 'uuid')
    return `(left(${column}::text, 14) || '7' || substr(md5(${column}::text || n), 1, 3) || '-8' ||
      substr(md5(${column}::text || n), 4, 3) || '-' || substr(md5(${column}::text || n), 7, 12))::uuid`
  if (name === 'bookid' || name === 'subject')
    return `regexp_replace(${column}, '\\d+$', '') || substring(${column} from '\\d+$')::int + n * ${books}`
  // Below every sequence that is in use: nobody publishes what lies there.
  if (name === 'seq') return `${column} - n * 1000000000::bigint`
  return column
}
