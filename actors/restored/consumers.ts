/** Takes consumers back that have taken in more events than stock has logged. */
import type { Sql } from '../../streams/postgres.ts'
import type { Databases } from './installation.ts'

type End = { partition: number; seq: number }

/** @returns how many partitions of consumers were ahead. */
export async function takeConsumersBack({ stock, reservation, notifier }: Databases): Promise<number> {
  const ends = await stock<End[]>`select partition, seq from mailbox`
  const counts = await Promise.all([reservation, notifier].map((sql) => takeBack(sql, ends)))
  return counts.reduce((sum, count) => sum + count, 0)
}

async function takeBack(sql: Sql, ends: End[]): Promise<number> {
  const { count } = await sql`
    update mailbox m set position = e.seq || '-0', processed = e.seq
    from unnest(${ends.map((it) => it.partition)}::int[], ${ends.map((it) => it.seq)}::bigint[]) as e (partition, seq)
    where m.partition = e.partition and split_part(m.position, '-', 1)::numeric > e.seq`
  return count
}
