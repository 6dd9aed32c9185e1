/**
 * Takes consumers back that have taken in more events than stock has logged; and forward, where the next that they would
 * read has been pruned from the log since their backup.
 */
import type { Sql } from '../../streams/postgres.ts'
import { rows } from '../../streams/rows.ts'
import type { Databases } from './installation.ts'

/** What stock's log has of a partition: the events after `pruned`, up to `seq`. */
type Kept = { partition: number; pruned: number; seq: number }

/** @returns how many partitions of consumers were ahead of the log, or behind it. */
export async function alignConsumers({ stock, reservation, notifier }: Databases): Promise<number> {
  const kept = await stock<Kept[]>`
    select m.partition, m.seq, coalesce(b.first - 1, m.seq) as pruned from mailbox m left join lateral (
      select first from event_batch where partition = m.partition order by seq limit 1
    ) as b on true`
  const counts = await Promise.all([reservation, notifier].map((sql) => align(sql, kept)))
  return counts.reduce((sum, count) => sum + count, 0)
}

async function align(sql: Sql, kept: Kept[]): Promise<number> {
  const { count } = await sql`
    update mailbox m set position = n.next || '-0', processed = n.next
    from ${rows(sql, kept, { partition: 'int', pruned: 'bigint', seq: 'bigint' })} as k
    cross join lateral (
      select greatest(k.pruned, least(k.seq, split_part(mailbox.position, '-', 1)::numeric))::bigint as next
      from mailbox where partition = k.partition
    ) as n
    where m.partition = k.partition and split_part(m.position, '-', 1)::numeric <> n.next`
  return count
}
