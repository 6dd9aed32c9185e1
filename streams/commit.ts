/**
 * The one statement that commits a batch: offsets, events, dead letters and the service's own rows.
 *
 * C1. Fence: a partition is written only while its epoch and its offset are still those that the batch was read with.
 *     A stalled owner that wakes up late has an old epoch. A batch that was already committed has an old offset.
 * C2. It is one SQL statement, so all of it happens or nothing, and no connection can be left in a transaction.
 * C3. Partitions are independent: one that is fenced out does not hold up the others of the batch.
 * C4. Sequences of events are dense, because they are counted from the sequence that the fence protects.
 * C5. An event's time is that of its commit, by the database's clock. The clocks of workers may be wrong.
 */
import { toArray } from './envelope.ts'
import type { EventBatch, NumberedBatch } from './event-batch.ts'
import type { Poison } from './handler.ts'
import { type Form, type Written, writeLetters } from './letter.ts'
import type { Fragment, Sql } from './postgres.ts'
import { fencedRows, rows } from './rows.ts'

/** Moves a partition from the offset that it was read at to the offset after the batch. */
export type Advance = {
  partition: number
  epoch: number
  from: string
  to: string
  /** Messages between the two. */
  count: number
  /** Sequence of the partition's last event before the batch. */
  seq: number
}

export type Letter = Poison & { fields: string[] }

export type Batch = {
  advances: Advance[]
  events: NumberedBatch[]
  letters: Letter[]
  /** How the letters are written, `whole` by default. */
  form?: Form
  /** Letters that were redriven and are done. */
  redriven: { partition: number; position: string }[]
  writes: Fragment[]
  results: Fragment | undefined
}

export type Committed = {
  /** As they are in the log. Those of partitions that were fenced out are included, though they were not written. */
  events: EventBatch[]
  /** The partitions whose fence held. For the others nothing was written. */
  partitions: Set<number>
  results: unknown[]
}

/** @throws when the outcome is unknown, or nothing was written. */
export async function commit(sql: Sql, batch: Batch): Promise<Committed> {
  const { advances, events, letters, redriven } = batch
  const emitted = new Map<number, number>()
  for (const event of events) emitted.set(event.partition, event.seq)
  const found = await sql<{ partition: number | null; result: unknown; at: Date | null }[]>`
    with fenced as (
      update mailbox m
      set position = a.position, processed = m.processed + a.count, seq = a.seq
      from ${rows(sql, advances, {
        partition: 'int',
        epoch: 'bigint',
        read_at: ['text', (it) => it.from],
        position: ['text', (it) => it.to],
        count: 'int',
        seq: ['bigint', (it) => emitted.get(it.partition) ?? it.seq],
      })} as a
      where m.partition = a.partition and m.epoch = a.epoch and m.position = a.read_at
      returning m.partition
    )
    ${events.length ? sql`, logged as (${logEvents(sql, events)})` : sql``}
    ${letters.length ? sql`, dead_lettered as (${insertDeadLetters(sql, writeLetters(letters, batch.form ?? 'whole'))})` : sql``}
    ${redriven.length ? sql`, redriven as (${deleteRedriven(sql, redriven)})` : sql``}
    ${batch.writes.length ? batch.writes.map((write) => sql`, ${write}`) : sql``}
    select partition, null::json as result, ${timeOf(sql)} as at from fenced
    ${batch.results ? sql`union all select *, null from (${batch.results}) as results` : sql``}`
  const time = found.find((row) => row.at)?.at?.toISOString() ?? ''
  return {
    events: events.map(({ partition, first, seq, events }) => ({ partition, first, seq, time, events })),
    partitions: new Set(found.flatMap((row) => row.partition ?? [])),
    results: found.filter((row) => row.partition === null).map((row) => row.result),
  }
}

/** In milliseconds, as published. */
const timeOf = (sql: Sql) => sql`date_trunc('milliseconds', now())`

const logEvents = (sql: Sql, batches: NumberedBatch[]) => {
  const subjects = batches.flatMap(({ partition, seq, subjects }) =>
    Array.from(subjects, (subject) => ({ partition, seq, subject })),
  )
  return sql`
  insert into event_batch (partition, first, seq, time, events)
  select e.partition, e.first, e.seq, ${timeOf(sql)}, e.events
  from ${fencedRows(sql, batches, {
    first: 'bigint',
    seq: 'bigint',
    events: ['json', (it) => toArray(it.events)],
  })} as e
), indexed as (
  insert into event_subject (partition, seq, subject)
  select s.partition, s.seq, s.subject from ${fencedRows(sql, subjects, { seq: 'bigint', subject: 'text' })} as s`
}

const insertDeadLetters = (sql: Sql, letters: Written[]) => sql`
  insert into dead_letter (partition, position, type, subject, reason, fields)
  select l.partition, l.position, l.type, l.subject, l.reason, array(select json_array_elements_text(l.fields::json))
  from ${fencedRows(sql, letters, {
    position: 'text',
    type: 'text',
    subject: 'text',
    reason: 'text',
    fields: ['json', (it) => JSON.stringify(it.fields)],
  })} as l
  on conflict (partition, position) do update
  set type = excluded.type, subject = excluded.subject, reason = excluded.reason, redrive = false, at = clock_timestamp()`

const deleteRedriven = (sql: Sql, letters: { partition: number; position: string }[]) => sql`
  delete from dead_letter d using ${fencedRows(sql, letters, { position: 'text' })} as l
  where d.partition = l.partition and d.position = l.position`
