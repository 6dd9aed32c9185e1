/** Whether Postgres answers: asked on a connection of its own, on which no other statement is ever in front. */
import { openPostgres, type Sql } from '../../streams/postgres.ts'

export type Probe = { sql: Sql; ask(): Promise<unknown> }

export function openProbe(url: string, schema: string): Probe {
  const sql = openPostgres(url, { schema, max: 1 })
  return { sql, ask: () => sql`select 1` }
}
