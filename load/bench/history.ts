/**
 * A long history, made quickly: some real reservations, all rows of which are then copied many times within Postgres, under
 * other ids. It does not name tables, so it follows any change of the services.
 */
import postgres from 'postgres'
import { closing } from '../../streams/postgres.ts'
import { demandOf } from './books.ts'
import { runClosedLoop } from './closed-loop.ts'
import { type Product, startProduct } from './product.ts'
import { progress } from './progress.ts'
import { settle } from './rounds.ts'
import type { Surroundings } from './target.ts'
import { requestsOf, type Workload, wantedOf } from './workloads.ts'

/** Tables of the runtime itself, and tables that a trigger fills. */
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
const preparingClients = 256
const settleMaxMs = 60_000

/**
 * A product on a database with years of reservations, but without years of vacuum and bloat. The requested books are among
 * those of the past.
 */
export async function startHistory(around: Surroundings, past: Past, name = 'history'): Promise<Product> {
  const product = await startProduct(around, name)
  try {
    const count = Math.min(sampleBooks, past.books)
    progress(`${name}: creating ${past.reservations} past reservations of ${past.books} books`)
    await makeSample(product, count, Math.max(1, Math.round(past.reservations / past.books)))
    // The sample itself is the first of the copies.
    await multiplyPast(product.databaseUrl, count, Math.round(past.books / count) - 1)
    return { ...product, ...(await sinceThen(product)) }
  } catch (error) {
    await product.stop()
    throw error
  }
}

/**
 * The audit ignores copies that were held before. The first run of a workload follows reservations of its books: after a checkpoint,
 * Postgres logs a whole page when it first changes. In a rush that is over within seconds, and comes again minutes later.
 */
async function sinceThen(product: Product): Promise<Pick<Product, 'account' | 'prepare'>> {
  let { held: before } = await product.account([])
  const prepared = new Set<string>()
  return {
    async prepare(workload) {
      if (prepared.has(workload.name)) return
      prepared.add(workload.name)
      const { held } = await product.account([])
      const count = 2 * workload.books.length
      await reserve(product, { ...workload, clients: preparingClients }, count)
      before += (await product.account([])).held - held
    },
    account: async () => {
      const { held, undecided } = await product.account([])
      return { held: held - before, undecided }
    },
  }
}

/** Makes some reservations by HTTP, with all their consequences. */
async function makeSample(product: Product, count: number, perBook: number): Promise<void> {
  const demand = demandOf('even', count)
  await product.stock(demand.books)
  const workload: Workload = {
    ...{ name: 'past', title: 'the past', clients: sampleClients, ...demand },
    status: 'Reserved',
  }
  await reserve(product, workload, count * perBook)
}

async function reserve(product: Product, workload: Workload, count: number): Promise<void> {
  const { wanted } = await runClosedLoop({
    ...{ host: '127.0.0.1', port: product.port, clients: workload.clients, requestsMax: count },
    ...{ warmupMs: 0, measuredMs: settleMaxMs, graceMs: settleMaxMs },
    request: requestsOf(workload, product),
    wanted: wantedOf(workload, product),
  })
  if (wanted < count) throw new Error(`Cannot create past reservations: ${wanted} of ${count} succeeded`)
  await settle(product, [])
}

/** Copies every row of the past `copies` times. */
async function multiplyPast(databaseUrl: string, books: number, copies: number): Promise<void> {
  await using sql = closing(postgres(databaseUrl, { max: 2, onnotice: () => {} }))
  for (const { schema, table, columns } of await tablesOf(sql)) {
    const into = `"${schema}"."${table}"`
    const names = columns.map(({ name }) => `"${name}"`).join(', ')
    const values = columns.map((column) => copied(column, books)).join(', ')
    await sql.unsafe(
      `insert into ${into} (${names}) select ${values} from ${into} t, generate_series(1, ${copies}) n`,
    )
    await sql.unsafe(`vacuum analyze ${into}`)
  }
  // Flush everything to disk before anything is measured.
  await sql`checkpoint`
}

type Column = { name: string; type: string }
type Table = { schema: string; table: string; columns: Column[] }

/** The columns that Postgres does not generate. */
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

/** The n-th copy of a value. Ids are mapped to new ids, consistently in all tables; books are numbered onwards. */
function copied({ name, type }: Column, books: number): string {
  const column = `t."${name}"`
  // Keep the time in a version 7 UUID: ids rise with time, and these are in the past.
  if (type === 'uuid')
    return `(left(${column}::text, 14) || '7' || substr(md5(${column}::text || n), 1, 3) || '-8' ||
      substr(md5(${column}::text || n), 4, 3) || '-' || substr(md5(${column}::text || n), 7, 12))::uuid`
  if (name === 'bookid' || name === 'subject')
    return `regexp_replace(${column}, '\\d+$', '') || substring(${column} from '\\d+$')::int + n * ${books}`
  // Below every sequence in use, where nothing is published.
  if (name === 'seq') return `${column} - n * 1000000000::bigint`
  return column
}
