/**
 * Who works on which partition.
 *
 * A worker leases its fair share of the partitions: no worker alive has two more than another. It renews all its leases
 * with one statement, takes partitions whose lease has run out, and gives back what is above its share.
 *
 * L1. Each change of owner raises the partition's epoch. The same owner renewing does not.
 * L2. Time is the database's clock: workers need not agree on theirs.
 * L3. A lease decides only who works. What is correct is decided by the fence in the commit (`commit.ts`): two workers
 *     that both believe they own a partition cost time, never truth.
 * L4. Whoever could not renew for a while takes nothing of others' for a lease's time: if Postgres was away, they could not
 *     either, and are about to.
 */
import type { Beat } from './incarnation.ts'
import type { Sql } from './postgres.ts'

export type Lease = {
  partition: number
  epoch: number
  /** Offset: the entry id up to which messages are committed, and how many they were. */
  position: string
  processed: number
  /** Sequence of the last committed event, and the one up to which all consumers are done. */
  seq: number
  trimmed: number
}

export type Leases = {
  owned: Lease[]
  /** How many partitions this worker should own while the present workers live. */
  share: number
  /** Workers alive, this one among them. */
  workers: number
  /** Counted by this renewal. */
  beat: Beat
}

/**
 * How long a worker's statements may wait for a lock, milliseconds (`lockTimeoutMs`): no longer than a lease can go without
 * being renewed by the renewal after the next.
 */
export const lockTimeoutOf = (leaseTtlMs: number): number => leaseTtlMs / 5

/**
 * Renews the worker's leases and takes free partitions up to its share.
 *
 * It waits for no row: one that a commit has in hand is renewed next time. Waiting for several rows while a commit waits
 * for them in another order would be a deadlock.
 * @param worker unique to the process, so that nobody else renews in its name.
 * @param onlyOwn takes nothing that has had another owner.
 */
export async function renewLeases(sql: Sql, worker: string, ttlMs: number, onlyOwn = false): Promise<Leases> {
  const ttl = `${ttlMs} milliseconds`
  const rows = await sql<(Lease & { share: number; workers: number } & Beat)[]>`
    with beat as (
      update incarnation set beats = beats + 1 returning id, beats
    ), alive as (
      insert into worker (id, alive_until) values (${worker}, clock_timestamp() + ${ttl}::interval)
      on conflict (id) do update set alive_until = excluded.alive_until
    ), forgotten as (
      delete from worker where alive_until < clock_timestamp() - interval '10 minutes' and id <> ${worker}
    ), crowd as (
      select count(*) + 1 as workers, count(*) filter (where id < ${worker}) as before_us
      from worker where alive_until > clock_timestamp() and id <> ${worker}
    ), share as (
      -- What does not divide evenly goes to those first by name.
      select workers, (total / workers + case when before_us < total % workers then 1 else 0 end)::int as partitions
      from crowd, (select count(*) as total from mailbox) as mailboxes
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
    select owned.*, share.partitions as share, share.workers, beat.id, beat.beats
    from share cross join beat left join (select * from mine union all select * from taken) owned on true`
  const { share, workers, id, beats } = rows[0]!
  return { owned: rows.filter((row) => row.partition !== null), share, workers, beat: { id, beats } }
}

/** Gives partitions back, so that another worker need not wait for the lease to run out. */
export async function releaseLeases(sql: Sql, worker: string, partitions: number[]): Promise<void> {
  await sql`
    update mailbox set owner = null, lease_until = '-infinity'
    where owner = ${worker} and partition = any(${partitions}::int[])`
}

/** Gives everything back and leaves the crowd: the last thing a worker does. @returns the beat that it counts. */
export async function leave(sql: Sql, worker: string): Promise<Beat> {
  const [beat] = await sql<Beat[]>`
    with gone as (
      delete from worker where id = ${worker}
    ), freed as (
      update mailbox set owner = null, lease_until = '-infinity' where owner = ${worker}
    )
    update incarnation set beats = beats + 1 returning id, beats`
  return beat!
}
