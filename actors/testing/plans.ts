/** How Postgres means to carry out the very statements that our functions send. */
import type { Sql } from '../../streams/postgres.ts'

type Plan = { 'Node Type': string; 'Relation Name'?: string; 'Index Cond'?: string; Plans?: Plan[] }
type Sent = { string: string; args: unknown[] }

/** Runs `act` with connections that note every statement it sends. */
export async function statementsOf(sql: Sql, act: (sql: Sql) => Promise<unknown>): Promise<Sent[]> {
  const sent: Sent[] = []
  const queries: { string?: string; parameters?: unknown[] }[] = []
  const noting = new Proxy(sql, {
    apply(target, self, args) {
      const query = Reflect.apply(target as never, self, args) as never
      queries.push(query)
      return query
    },
  })
  await act(noting)
  // Parts of other statements were never sent.
  for (const { string, parameters } of queries) if (string) sent.push({ string, args: parameters ?? [] })
  return sent
}

/** @returns the tables that a statement would read from end to end, under any plan that the driver may be given. */
export async function scannedWhole(sql: Sql, { string, args }: Sent): Promise<string[]> {
  const generic = await sql.unsafe(`explain (generic_plan, format json) ${string}`).simple()
  const custom = await sql.unsafe(`explain (format json) ${withArguments(string, args)}`).simple()
  const plans = [generic, custom].map((rows) => {
    const answer = rows[0]!['QUERY PLAN']
    return ((typeof answer === 'string' ? JSON.parse(answer) : answer) as { Plan: Plan }[])[0]!.Plan
  })
  return [...new Set(plans.flatMap(scans))]
}

/** As the driver sends them: text, which the statement casts. */
const withArguments = (statement: string, args: unknown[]) =>
  statement.replaceAll(/\$(\d+)/g, (_, n) => {
    const value = args[Number(n) - 1]
    return value === null ? 'null' : `'${String(value).replaceAll("'", "''")}'`
  })

const scans = (plan: Plan): string[] => [
  ...(readsWhole(plan) ? [plan['Relation Name']!] : []),
  ...(plan.Plans ?? []).flatMap(scans),
]

/** An index can be read from end to end, too. */
const readsWhole = (plan: Plan): boolean =>
  plan['Node Type'] === 'Seq Scan' || (/^Index (Only )?Scan/.test(plan['Node Type']) && !plan['Index Cond'])
