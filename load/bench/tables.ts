/** The sizes of the tables of a database and of their indexes. */
import postgres from 'postgres'
import { closing } from '../../streams/postgres.ts'
import { count } from './report.ts'

/** Bytes of files, by schema and table. */
export type TableBytes = { name: string; heap: number; indexes: number }

export async function tableBytesOf(databaseUrl: string): Promise<TableBytes[]> {
  await using sql = closing(postgres(databaseUrl, { max: 1, onnotice: () => {} }))
  return await sql<TableBytes[]>`
      select schemaname || '.' || relname as name,
        pg_table_size(relid)::float8 as heap, pg_indexes_size(relid)::float8 as indexes
      from pg_stat_user_tables order by 1`
}

/** The growth per request, one line per table that grew by a byte or more. */
export function describeTables(before: TableBytes[], after: TableBytes[], requests: number): string[] {
  return after.flatMap(({ name, heap, indexes }) => {
    const since = before.find((it) => it.name === name)
    const each = (now: number, then = 0) => (now - then) / Math.max(1, requests)
    const [ofHeap, ofIndexes] = [each(heap, since?.heap), each(indexes, since?.indexes)]
    return ofHeap + ofIndexes < 1 ? [] : [`${name} ${count(ofHeap)} B and indexes ${count(ofIndexes)} B`]
  })
}
