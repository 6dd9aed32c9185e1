/** Checks whether Postgres responds, on a connection of its own, so that it never queues behind another statement. */
import { openPostgres, type Sql } from '../../streams/postgres.ts'

export type Probe = { sql: Sql; ask(): Promise<unknown> }

export function openProbe(url: string, schema: string): Probe {
  const sql = openPostgres(url, { schema, max: 1 })
  return { sql, ask: () => sql`select 1` }
}
