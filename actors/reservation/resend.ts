/**
 * Sends commands again that stock has not answered: Redis may lose what it was given. What was accepted together is noted
 * as one lot; what stock has not answered when the lot is due waits in the outbox, command by command, until it has.
 *
 * An unanswered command is not always a lost one. When stock is slow or down its mailboxes fill, and sending everything
 * again would only make them longer. So a row is sent again when stock has gone past what its mailbox held at a time at
 * which the row was due already, and still has not answered.
 *
 * Rows are due by Postgres's clock, and the ids of entries are given by Redis's, so neither is compared with the other, nor
 * with ours: a mark says where the mailbox ended at an instant of Postgres's. Everything that was due by then had been sent
 * before, and so is behind the mark or lost.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { isBefore } from '../../streams/entry.ts'
import { committedBy, endOf, groupOf } from '../../streams/groups.ts'
import { streamKey } from '../../streams/partition.ts'
import type { Sql } from '../../streams/postgres.ts'
import type { Pulse } from '../../streams/pulse.ts'
import type { RedisClient } from '../../streams/redis.ts'
import type { Sender } from '../../streams/sender.ts'
import type { Log } from '../log.ts'
import { topics } from '../messages.ts'
import { commandOf } from './commands.ts'
import * as store from './store.ts'

const lookEveryMs = 1_000
/** Rows per statement. */
const batchSizeMax = 1_000
/** With more events than this waiting for ourselves, the answers may well be among them. */
const eventBacklogMax = 1_000

export type ResendOptions = {
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
  /** Whether anything may be sent: if not, what is due stays due. */
  maySend(): boolean
  /** Told how many were sent again. */
  resent(count: number): void
}

/** Where a mailbox ended, and when, by Postgres's clock. */
type Mark = { end: string; at: Date }
/** Of each partition, the mark that stock has yet to pass. */
type Marks = Map<number, Mark>

/** Runs until `signal` is aborted. */
export async function resendUnconfirmed(options: ResendOptions, signal: AbortSignal): Promise<void> {
  const { sql, partitions, maySend, log, pulse } = options
  const marks: Marks = new Map()
  while (!signal.aborted) {
    const restMs = lookEveryMs * (0.75 + Math.random() / 2)
    const failures: unknown[] = []
    const failed = (error: unknown, facts = {}) => {
      failures.push(error)
      log.warn({ err: error, ...facts }, 'cannot send unconfirmed commands again yet')
    }
    try {
      await store.openLots(sql)
      for (const due of maySend() ? await store.partitionsDue(sql, partitions) : [])
        await resendPartition(options, due, marks, signal).catch((error) =>
          failed(error, { partition: due.partition }),
        )
    } catch (error) {
      failed(error)
    }
    if (failures.length > 0) pulse.fail(failures[0], restMs)
    else pulse.beat(restMs)
    await sleep(restMs, undefined, { signal }).catch(() => {})
  }
}

async function resendPartition(
  options: ResendOptions,
  { partition, at }: store.DuePartition,
  marks: Marks,
  signal: AbortSignal,
): Promise<void> {
  const { sql, resendAfterMs, sender, now, log, pulse, resent } = options
  const dueBefore = await answeredUntil(options, partition, at, marks)
  if (dueBefore === undefined) return
  for (let taken = batchSizeMax; taken === batchSizeMax && !signal.aborted; ) {
    const rows = await store.takeDue(sql, partition, dueBefore, batchSizeMax, resendAfterMs)
    taken = rows.length
    await Promise.all(
      rows.map((row) =>
        sender.send(commandOf(row.status === 'Requested' ? 'ReserveCopy' : 'ReleaseCopy', row, now())),
      ),
    )
    resent(taken)
    if (taken > 0) log.info({ partition, count: taken }, 'sent unconfirmed commands again')
    pulse.beat()
  }
}

/**
 * Until when stock has answered what it was sent: `at`, if there is nothing in its mailbox that it has not gone past; else
 * when the mark was set that it has gone past, or that was lost.
 * @param at before which Redis was not asked yet.
 * @returns undefined when that cannot be told, or when our own consumer is behind: then the answers may be on their way.
 */
async function answeredUntil(
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
  // Without a group stock has never been here, or Redis has lost it: it has gone past nothing.
  const passed = stock ? committedBy(stock) : '0-0'
  if (passed === undefined) return undefined
  if (end === undefined || !isBefore(passed, end)) {
    marks.delete(partition)
    return at
  }
  const mark = marks.get(partition)
  // A mailbox that ends before the mark has begun anew: what the mark stood behind is lost.
  if (mark && isBefore(passed, mark.end) && !isBefore(end, mark.end)) return undefined
  marks.set(partition, { end, at })
  return mark?.at
}
