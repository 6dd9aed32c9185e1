/**
 * Resends commands that stock has not confirmed, because Redis may lose them. Reservations accepted together form one lot;
 * when the lot is due, each one that is still undecided gets a row in the outbox until stock answers.
 *
 * An unconfirmed command is not necessarily lost. When stock is slow or down, resending on a timer would only fill its
 * mailboxes further. So a command is resent only once stock has read past the end that its mailbox had when the command was
 * already due, without answering it.
 *
 * Due times are by Postgres's clock and entry ids by Redis's, and the two are never compared. Instead a mark records where
 * the mailbox ended at a time of Postgres's clock: every command due by that time was sent earlier, so it is either before
 * the mark or lost.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../../platform/log.ts'
import { isBefore } from '../../streams/entry.ts'
import { committedBy, endOf, groupOf } from '../../streams/groups.ts'
import { streamKey } from '../../streams/partition.ts'
import type { Sql } from '../../streams/postgres.ts'
import type { Pulse } from '../../streams/pulse.ts'
import type { RedisClient } from '../../streams/redis.ts'
import type { Sender } from '../../streams/sender.ts'
import { topics } from '../messages.ts'
import { commandOf } from './commands.ts'
import * as outbox from './outbox.ts'
import { commandIn } from './reservation.ts'

const intervalMs = 1_000
/** Rows per statement. */
const batchSizeMax = 1_000
/** With more unread events than this, the answers are probably among them. */
const eventBacklogMax = 1_000

type ResendOptions = {
  sql: Sql
  redis: RedisClient
  prefix: string
  partitions: number
  resendAfterMs: number
  sender: Pick<Sender, 'send'>
  /** By Postgres's clock. */
  now(): Date
  log: Log
  pulse: Pulse
  /** While false, due commands stay due. */
  maySend(): boolean
  /** Called with the number of commands resent. */
  resent(count: number): void
}

/** The end of a mailbox at a time of Postgres's clock. */
type Mark = { end: string; at: Date }
/** For each partition, the mark that stock has not yet passed. */
type Marks = Map<number, Mark>

/** Runs until `signal` is aborted. */
export async function resendUnconfirmed(options: ResendOptions, signal: AbortSignal): Promise<void> {
  const { sql, partitions, maySend, log, pulse } = options
  const marks: Marks = new Map()
  while (!signal.aborted) {
    const delayMs = intervalMs * (0.75 + Math.random() / 2)
    const failures: unknown[] = []
    const failed = (error: unknown, facts = {}) => {
      failures.push(error)
      log.warn({ err: error, ...facts }, 'cannot send unconfirmed commands again yet')
    }
    try {
      await outbox.openLots(sql)
      for (const due of maySend() ? await outbox.partitionsDue(sql, partitions) : [])
        await resendPartition(options, due, marks, signal).catch((error) =>
          failed(error, { partition: due.partition }),
        )
    } catch (error) {
      failed(error)
    }
    if (failures.length > 0) pulse.fail(failures[0], delayMs)
    else pulse.beat(delayMs)
    await sleep(delayMs, undefined, { signal }).catch(() => {})
  }
}

async function resendPartition(
  options: ResendOptions,
  { partition, at }: outbox.DuePartition,
  marks: Marks,
  signal: AbortSignal,
): Promise<void> {
  const { sql, resendAfterMs, sender, now, log, pulse, resent } = options
  const dueBefore = await answeredBefore(options, partition, at, marks)
  if (dueBefore === undefined) return
  for (let count = batchSizeMax; count === batchSizeMax && !signal.aborted; ) {
    const rows = await outbox.claimDue(sql, partition, dueBefore, batchSizeMax, resendAfterMs)
    count = rows.length
    await Promise.all(rows.map((row) => sender.send(commandOf(commandIn[row.status]!, row, now()))))
    resent(count)
    if (count > 0) log.info({ partition, count }, 'sent unconfirmed commands again')
    pulse.beat()
  }
}

/**
 * Finds the time before which every command that was due has been answered or lost: `at` if stock has read its whole
 * mailbox, otherwise the time of the mark that stock has passed, or that the mailbox has lost.
 * @param at a time of Postgres's clock, earlier than this call's queries of Redis.
 * @returns undefined if no such time is known, or if this service's own consumer is behind and answers may be on their way.
 */
async function answeredBefore(
  { redis, prefix }: ResendOptions,
  partition: number,
  at: Date,
  marks: Marks,
): Promise<Date | undefined> {
  const [end, stock, own] = await Promise.all([
    endOf(redis, streamKey(prefix, topics.stockMailbox, partition)),
    groupOf(redis, prefix, topics.stockMailbox, partition, 'stock'),
    groupOf(redis, prefix, topics.stockEvents, partition, 'reservation'),
  ])
  if ((own?.lag ?? 0) > eventBacklogMax) return undefined
  // Without a group, stock has not started yet, or Redis has lost it: nothing has been read.
  const passed = stock ? committedBy(stock) : '0-0'
  if (passed === undefined) return undefined
  if (end === undefined || !isBefore(passed, end)) {
    marks.delete(partition)
    return at
  }
  const mark = marks.get(partition)
  // If the mailbox now ends before the mark, it was recreated, and its earlier commands are lost.
  if (mark && isBefore(passed, mark.end) && !isBefore(end, mark.end)) return undefined
  marks.set(partition, { end, at })
  return mark?.at
}
