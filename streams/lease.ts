/**
 * Leases decide which worker works on which partition.
 *
 * A worker leases its fair share of the partitions: no live worker has two more than another. It renews all its leases with
 * one statement, takes partitions whose lease has expired, and gives back what exceeds its share.
 *
 * L1. Each change of owner raises the partition's epoch. The same owner renewing does not.
 * L2. Time is the database's clock: workers need not agree on theirs.
 * L3. A lease only avoids double work. The fence in the commit (`commit.ts`) decides what is correct: two workers that both
 *     believe they own a partition cost time, never correctness.
 * L4. After failing to renew, a worker takes over no other worker's partitions for one TTL: if Postgres was down, the owners
 *     could not renew either.
 */
import type { RenewalCount } from './incarnation.ts'
import type { Sql } from './postgres.ts'

export type Lease = {
  partition: number
  epoch: number
  /** Offset: the entry id up to which messages are committed, and how many messages that was. */
  position: string
  processed: number
  /** Sequences of the last committed event, and of the last one that all consumers have committed. */
  seq: number
  trimmed: number
}

export type Leases = {
  owned: Lease[]
  /** How many partitions this worker should own, given the live workers. */
  share: number
  /** Live workers, including this one. */
  workers: number
  /** After this renewal (`incarnation.ts`). */
  count: RenewalCount
}

/**
 * @returns how long a worker's statements may wait for a lock, milliseconds: a commit that waits has locked its offsets, and
 *   their leases must be renewed in time afterwards.
 */
export const lockTimeoutOf = (leaseTtlMs: number): number => leaseTtlMs / 5

/**
 * Renews the worker's leases and takes free partitions up to its share.
 *
 * It waits for no row: one that a commit has locked is renewed next time. Waiting for several rows while a commit waits for
 * them in another order would be a deadlock.
 * @param worker unique to the process.
 * @param onlyOwn takes no partition that has another owner (L4).
 */
export async function renewLeases(sql: Sql, worker: string, ttlMs: number, onlyOwn = false): Promise<Leases> {
  const ttl = `${ttlMs} milliseconds`
  const rows = await sql<(Lease & { share: number; workers: number } & RenewalCount)[]>`
    with counted as (
      update incarnation set beats = beats + 1 returning id, beats as renewals
    ), alive as (
      insert into worker (id, alive_until) values (${worker}, clock_timestamp() + ${ttl}::interval)
      on conflict (id) do update set alive_until = excluded.alive_until
    ), expired as (
      delete from worker where alive_until < clock_timestamp() - interval '10 minutes' and id <> ${worker}
    ), others as (
      select count(*) + 1 as workers, count(*) filter (where id < ${worker}) as before_this
      from worker where alive_until > clock_timestamp() and id <> ${worker}
    ), share as (
      -- The remainder goes to the first workers by name.
      select workers, (total / workers + case when before_this < total % workers then 1 else 0 end)::int as partitions
      from others, (select count(*) as total from mailbox) as mailboxes
    ), mine as (
      select partition, epoch, position, processed, seq, trimmed from mailbox where owner = ${worker}
    ), idle as (
      select partition from mailbox where owner = ${worker} for update skip locked
    ), renewed as (
      update mailbox m set lease_until = clock_timestamp() + ${ttl}::interval
      from idle where m.partition = idle.partition
    ), free as (
      select partition from mailbox
      where lease_until < clock_timestamp() and owner is distinct from ${worker} and (owner is null or not ${onlyOwn})
      order by random()
      limit (select greatest(partitions - (select count(*) from mine), 0) from share)
      for update skip locked
    ), taken as (
      update mailbox m set owner = ${worker}, epoch = m.epoch + 1, lease_until = clock_timestamp() + ${ttl}::interval
      from free where m.partition = free.partition
      returning m.partition, m.epoch, m.position, m.processed, m.seq, m.trimmed
    )
    select owned.*, share.partitions as share, share.workers, counted.id, counted.renewals
    from share cross join counted left join (select * from mine union all select * from taken) owned on true`
  const { share, workers, id, renewals } = rows[0]!
  return { owned: rows.filter((row) => row.partition !== null), share, workers, count: { id, renewals } }
}

/** @returns whether the worker owns all of these partitions for at least `marginMs` more. */
export async function leasesLast(
  sql: Sql,
  worker: string,
  partitions: number[],
  marginMs: number,
): Promise<boolean> {
  const rows = await sql`
    select from mailbox where partition = any(${partitions}::int[]) and owner = ${worker}
      and lease_until > clock_timestamp() + ${marginMs}::float8 * interval '1 millisecond'`
  return rows.length === partitions.length
}

/** Gives partitions back, so that another worker need not wait for the lease to expire. */
export async function releaseLeases(sql: Sql, worker: string, partitions: number[]): Promise<void> {
  await sql`
    update mailbox set owner = null, lease_until = '-infinity'
    where owner = ${worker} and partition = any(${partitions}::int[])`
}

/** Gives everything back and removes the worker: the last thing it does. */
export async function leave(sql: Sql, worker: string): Promise<RenewalCount> {
  const [count] = await sql<RenewalCount[]>`
    with gone as (
      delete from worker where id = ${worker}
    ), freed as (
      update mailbox set owner = null, lease_until = '-infinity' where owner = ${worker}
    )
    update incarnation set beats = beats + 1 returning id, beats as renewals`
  return count!
}
