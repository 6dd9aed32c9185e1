/** The table of sessions that ended, in the schema of the pages. */
import { closePostgres, openPostgres } from '../../streams/postgres.ts'

/** No session is older than that without being used, so what ended before needs no row. */
const keptDays = 40

/** Keys are hashes. That of a session leads to nothing; that of a person can be found by trying the ids of all. */
export type EndedStore = {
  /** @param at seconds since 1970. Of the same key the latest counts. */
  end(key: string, at: number): Promise<void>
  /** @returns when each of them ended; those that did not are left out. */
  ended(keys: readonly string[]): Promise<Map<string, number>>
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
    async ended(keys) {
      const rows = await sql<{ key: string; at: number }[]>`
        select key, extract(epoch from at)::float8 as at from ended_session where key = any(${[...keys]}::text[])`
      return new Map(rows.map(({ key, at }) => [key, at]))
    },
    close: () => closePostgres(sql),
  }
}
