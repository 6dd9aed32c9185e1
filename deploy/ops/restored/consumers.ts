/**
 * Moves consumers back that are past the end of stock's log, and forward where their next event has been pruned from it
 * since their backup.
 */
import type { Sql } from '../../../streams/postgres.ts'
import { rows } from '../../../streams/rows.ts'
import type { Databases } from './installation.ts'

/** The events of a partition in stock's log: those after `pruned`, up to `seq`. */
type Logged = { partition: number; pruned: number; seq: number }

/** @returns the number of partitions that were moved. */
export async function alignConsumers({ stock, reservation, notifier }: Databases): Promise<number> {
  const logged = await stock<Logged[]>`
    select m.partition, m.seq, coalesce(b.first - 1, m.seq) as pruned from mailbox m left join lateral (
      select first from event_batch where partition = m.partition order by seq limit 1
    ) as b on true`
  const counts = await Promise.all([reservation, notifier].map((sql) => align(sql, logged)))
  return counts.reduce((sum, count) => sum + count, 0)
}

async function align(sql: Sql, logged: Logged[]): Promise<number> {
  const { count } = await sql`
    update mailbox m set position = n.next || '-0', processed = n.next
    from ${rows(sql, logged, { partition: 'int', pruned: 'bigint', seq: 'bigint' })} as k
    cross join lateral (
      select greatest(k.pruned, least(k.seq, split_part(mailbox.position, '-', 1)::numeric))::bigint as next
      from mailbox where partition = k.partition
    ) as n
    where m.partition = k.partition and split_part(m.position, '-', 1)::numeric <> n.next`
  return count
}
