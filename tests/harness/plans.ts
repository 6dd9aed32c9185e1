/** The query plans of the statements that our functions send. */
import postgres from 'postgres'
import { expect, inject } from 'vitest'
import type { ServiceName } from '../../platform/config.ts'
import { openReads } from '../../platform/http/reads.ts'
import { openPostgres, type Sql } from '../../streams/postgres.ts'
import { statementTag } from '../../streams/statement.ts'

type Plan = {
  'Node Type': string
  'Relation Name'?: string
  'Index Cond'?: string
  'Parent Relationship'?: string
  'Total Cost': number
  Plans?: Plan[]
}
type Sent = { string: string; args: unknown[] }

export type Allowed = {
  /** Tiny tables, which may be read sequentially. */
  small?: string[]
  /**
   * Tables that may be read in index order up to a limit. Without a filter that reads as many rows as the limit; with
   * one, as many as it takes to find them.
   */
  walked?: string[]
}

/** Connections like those for requests, with the planner's default settings. */
export function openUnforced(hot: Sql, schema: ServiceName): Sql {
  const url = new URL(inject('postgresUrl'))
  url.pathname = hot.options.database
  return openPostgres(url.href, { schema, max: 1 })
}

/** Connections like those for lists and searches, whose statements are planned for their arguments. */
export function openReadsOf(hot: Sql, schema: ServiceName): Sql {
  const url = new URL(inject('postgresUrl'))
  url.pathname = hot.options.database
  return openReads(url.href, schema, 1)
}

/**
 * Fills tables fast, without effect on plans: without a write-ahead log, and with indexes created afterwards. On a connection of
 * its own: those of the product are taken for dead when a statement takes as long as this may (`silence.ts`).
 */
export async function fillQuickly(
  hot: Sql,
  tables: string[],
  fill: (sql: Sql) => Promise<unknown>,
): Promise<void> {
  const patient = await patientOf(hot)
  await patient
    .begin(async (transaction) => {
      const sql = transaction as unknown as Sql
      await sql`set local statement_timeout = 0`
      for (const table of tables) await sql`alter table ${sql(table)} set unlogged`
      const indexes = await sql<{ indexname: string; indexdef: string }[]>`
      select indexname, indexdef from pg_indexes
      where schemaname = current_schema and tablename = any(${tables}::text[]) and indexname not like '%_pkey'`
      for (const { indexname } of indexes) await sql`drop index ${sql(indexname)}`
      await fill(sql)
      for (const { indexdef } of indexes) await sql.unsafe(indexdef)
    })
    .finally(() => patient.end())
}

/** Gives Postgres statistics, however long a busy machine needs for them. */
export async function analyze(hot: Sql): Promise<void> {
  const patient = await patientOf(hot)
  await patient`analyze`.finally(() => patient.end())
}

async function patientOf(hot: Sql): Promise<postgres.Sql> {
  const [{ schema } = {}] = await hot<{ schema: string }[]>`select current_schema as schema`
  const url = new URL(inject('postgresUrl'))
  url.pathname = hot.options.database
  return postgres(url.href, { max: 1, onnotice: () => {}, connection: { search_path: schema } })
}

/** Fails if a statement of `act` reads a table sequentially. @returns how many statements it sends. */
export async function expectIndexes(
  sql: Sql,
  act: (sql: Sql) => Promise<unknown>,
  { small = [], walked = [] }: Allowed = {},
): Promise<number> {
  const statements = await statementsOf(sql, act)
  expect(statements).not.toEqual([])
  for (const statement of statements) {
    const reads = (await plansOf(sql, statement)).flatMap((plan) => readsOf(plan))
    const whole = reads.filter((it) => !small.includes(it.of) && !(it.walked && walked.includes(it.of)))
    expect(whole, statement.string).toEqual([])
  }
  return statements.length
}

/** Runs `act` with connections that record every statement. */
export async function statementsOf(sql: Sql, act: (sql: Sql) => Promise<unknown>): Promise<Sent[]> {
  const queries: { string?: string; parameters?: unknown[] }[] = []
  // The driver gets whole statements, and none of their parts.
  const driver = Object.getPrototypeOf(sql) as Sql
  const noting = Object.setPrototypeOf({}, driver) as Sql
  noting.unsafe = (...args) => {
    const query = driver.unsafe(...args)
    queries.push(query as object)
    return query as never
  }
  await act(statementTag([noting]))
  return queries.flatMap(({ string, parameters }) => (string ? [{ string, args: parameters ?? [] }] : []))
}

/** Postgres' own cost estimate of planning again: 2.5 per table, and no statement has ten tables. */
const planningCost = 25

/**
 * The plans that Postgres may use: the custom plan for these arguments, and the generic plan. It uses the generic
 * plan only if that is estimated cheaper than planning again plus the custom plan.
 */
async function plansOf(sql: Sql, { string, args }: Sent): Promise<Plan[]> {
  const [mode] = await sql`show plan_cache_mode`
  const generic = await explain(sql, 'generic_plan', string)
  const custom = await explain(sql, 'costs', withArguments(string, args))
  if (mode!.plan_cache_mode === 'force_custom_plan') return [custom]
  const forced = mode!.plan_cache_mode === 'force_generic_plan'
  return forced || generic['Total Cost'] < custom['Total Cost'] + planningCost ? [generic, custom] : [custom]
}

async function explain(sql: Sql, option: string, statement: string): Promise<Plan> {
  const [row] = await sql.unsafe(`explain (${option}, format json) ${statement}`).simple()
  const answer = row!['QUERY PLAN']
  return ((typeof answer === 'string' ? JSON.parse(answer) : answer) as { Plan: Plan }[])[0]!.Plan
}

/** Parameters as the driver sends them: text, which the statement casts. */
const withArguments = (statement: string, args: unknown[]) =>
  statement.replaceAll(/\$(\d+)/g, (_, n) => {
    const value = args[Number(n) - 1]
    return value === null ? 'null' : `'${String(value).replaceAll("'", "''")}'`
  })

type Read = { of: string; walked: boolean }

/** Tables that are read without an index condition. @param limited whether the reader stops at a limit. */
function readsOf(plan: Plan, limited = false): Read[] {
  const walked = limited && isIndexScan(plan)
  const own = readsWhole(plan) ? [{ of: plan['Relation Name']!, walked }] : []
  return [...own, ...(plan.Plans ?? []).flatMap((it) => readsOf(it, isLimited(plan, it, limited)))]
}

/** An index can be read sequentially too, and an inequality may match nearly everything. */
const readsWhole = (plan: Plan): boolean =>
  plan['Node Type'] === 'Seq Scan' ||
  (isIndexScan(plan) && !plan['Index Cond']?.includes(' = ')) ||
  (plan['Node Type'] === 'Bitmap Heap Scan' && plan.Plans!.some(isWholeBitmap))

const isWholeBitmap = (plan: Plan): boolean =>
  plan['Node Type'] === 'Bitmap Index Scan' && !plan['Index Cond']

const isIndexScan = (plan: Plan): boolean => /^Index (Only )?Scan/.test(plan['Node Type'])

/** A limit applies through nodes that pass rows on one by one. */
const isLimited = (plan: Plan, input: Plan, limited: boolean): boolean =>
  plan['Node Type'] === 'Limit' || (limited && handsOn[plan['Node Type']] === input['Parent Relationship'])
const handsOn: Record<string, string> = {
  LockRows: 'Outer',
  'Nested Loop': 'Outer',
  'Subquery Scan': 'Subquery',
}
