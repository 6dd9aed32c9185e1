/** The log of delivery attempts: when, over which channel, and what the receiver answered. */
import type { Fragment, Sql } from '../../../streams/postgres.ts'
import type { ChannelName } from '../channels/all.ts'

/** `retry`: it failed and was retried later. `failed`: the channel refused for good, or the notice was given up. */
export const attemptOutcomes = ['sent', 'retry', 'failed'] as const

export type AttemptRow = {
  at: Date
  channel: ChannelName
  outcome: (typeof attemptOutcomes)[number]
  error: string | null
  answer: string | null
}

/** @returns every attempt to deliver a notice, oldest first. */
export async function readAttempts(sql: Sql, seq: number): Promise<AttemptRow[]> {
  return await sql<AttemptRow[]>`
    select at, channel, outcome, error, answer from attempt where seq = ${seq} order by attempt`
}

/** @returns every attempt to deliver these notices, oldest first, by the notice's `seq`. */
export async function readAttemptsOf(sql: Sql, seqs: number[]): Promise<Map<number, AttemptRow[]>> {
  const rows = await sql<(AttemptRow & { seq: number })[]>`
    select seq, at, channel, outcome, error, answer from attempt
    where seq = any(${seqs}::bigint[]) order by seq, attempt`
  return Map.groupBy(rows, (it) => it.seq)
}

/** Logs the attempts of `marks`, as a part of that statement. An attempt that is marked twice is logged once. */
export const logAttempts = (sql: Sql): Fragment => sql`
  insert into attempt (seq, attempt, channel, outcome, error, answer)
  select seq, attempts, channel, case outcome when 'fallback' then 'failed' else outcome end, error, answer
  from marks where outcome not in ('deferred', 'superseded')
  on conflict (seq, attempt) do nothing`
