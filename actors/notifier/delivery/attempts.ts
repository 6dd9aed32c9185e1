/** The log of attempts to tell: when, by which channel, and what the receiver answered. */
import type { Fragment, Sql } from '../../../streams/postgres.ts'
import type { ChannelName } from '../channels/all.ts'

export type AttemptRow = {
  at: Date
  channel: ChannelName
  /** `retry`: it did not work, and was tried again later. `failed`: the channel refused for good, or nobody tried on. */
  outcome: 'sent' | 'retry' | 'failed'
  error: string | null
  answer: string | null
}

/** @returns every attempt to tell a notice, the first one first. */
export async function readAttempts(sql: Sql, seq: number): Promise<AttemptRow[]> {
  return await sql<AttemptRow[]>`
    select at, channel, outcome, error, answer from attempt where seq = ${seq} order by attempt`
}

/** The part of a mark that logs attempts, `told` being what came of them. Whatever is marked twice is logged once. */
export const logAttempts = (sql: Sql): Fragment => sql`
  insert into attempt (seq, attempt, channel, outcome, error, answer)
  select seq, attempts, channel, case outcome when 'fallback' then 'failed' else outcome end, error, answer
  from told where outcome not in ('deferred', 'superseded')
  on conflict (seq, attempt) do nothing`
