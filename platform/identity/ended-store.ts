/** The table of sessions that ended, in the schema of the pages. */
import { closePostgres, openPostgres } from '../../streams/postgres.ts'

/** No session is older than that without being used, so what ended before needs no row. */
const keptDays = 40

/** Keys are hashes, so that the table names neither a session nor a person. */
export type EndedStore = {
  /** Sessions with this key that began before `at` (seconds since 1970) are over. */
  end(key: string, at: number): Promise<void>
  /** @returns the newest `at` of the keys; 0 if there is none. */
  endedAt(keys: readonly string[]): Promise<number>
  close(): Promise<void>
}

export function openEndedStore(databaseUrl: string): EndedStore {
  const sql = openPostgres(databaseUrl, { schema: 'web', max: 2, statementTimeoutMs: 1_000 })
  return {
    async end(key, at) {
      await sql`
        with outdated as (delete from ended_session where at < now() - make_interval(days => ${keptDays}))
        insert into ended_session as it (key, at) values (${key}, to_timestamp(${at}))
        on conflict (key) do update set at = greatest(it.at, excluded.at)`
    },
    async endedAt(keys) {
      const [row] = await sql<[{ at: number }]>`
        select coalesce(max(extract(epoch from at)), 0)::float8 as at from ended_session
        where key = any(${[...keys]}::text[])`
      return row.at
    },
    close: () => closePostgres(sql),
  }
}
