/**
 * Sends commands again that stock has not answered: Redis may lose what it was given. What was accepted together is noted
 * as one lot; what stock has not answered when the lot is due waits in the outbox, command by command, until it has.
 *
 * An unanswered command is not always a lost one. When stock is slow or down its mailboxes fill, and sending everything
 * again would only make them longer. So a row is sent again when stock has gone past the time at which the row was due,
 * by the ids of the entries it has committed, and still has not answered.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { groupsOf } from '../../streams/groups.ts'
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
  now(): Date
  log: Log
  pulse: Pulse
  /** Told how many were sent again. */
  resent(count: number): void
}

/** Runs until `signal` is aborted. */
export async function resendUnconfirmed(options: ResendOptions, signal: AbortSignal): Promise<void> {
  const { sql, partitions, log, pulse } = options
  while (!signal.aborted) {
    const restMs = lookEveryMs * (0.75 + Math.random() / 2)
    const failures: unknown[] = []
    const failed = (error: unknown, facts = {}) => {
      failures.push(error)
      log.warn({ err: error, ...facts }, 'cannot send unconfirmed commands again yet')
    }
    try {
      await store.openLots(sql)
      for (const partition of await store.partitionsDue(sql, partitions))
        await resendPartition(options, partition, signal).catch((error) => failed(error, { partition }))
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
  partition: number,
  signal: AbortSignal,
): Promise<void> {
  const { sql, resendAfterMs, sender, now, log, pulse, resent } = options
  const dueBefore = await answeredUntil(options, partition)
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
 * Until when stock has answered what it was sent: now, if its mailbox is empty (or gone); else the time of the last entry
 * that it has committed, as its group shows it.
 * @returns undefined when that cannot be told, or when our own consumer is behind: then the answers may be on their way.
 */
async function answeredUntil(
  { redis, prefix, now }: ResendOptions,
  partition: number,
): Promise<Date | undefined> {
  const mailbox = streamKey(prefix, topics.stockMailbox, partition)
  const events = streamKey(prefix, topics.stockEvents, partition)
  const [stock, own] = await Promise.all([groupsOf(redis, mailbox), groupsOf(redis, events)])
  const ours = own.find((it) => it.name === 'reservation')
  if (ours && Number(ours.lag ?? 0) > eventBacklogMax) return undefined
  const group = stock.find((it) => it.name === 'stock')
  // Stock has never been here, or Redis has lost its group: it has answered nothing that stands in the mailbox.
  if (!group) return await timeOfFirst(redis, mailbox, now)
  // Somebody reads by hand, which moves the cursor past what is not answered.
  if (Number(group.pending) > 0) return undefined
  return Number(group.lag ?? 0) === 0 ? now() : timeOf(String(group['last-delivered-id']))
}

async function timeOfFirst(redis: RedisClient, mailbox: string, now: () => Date): Promise<Date> {
  const [first] = await redis.xrange(mailbox, '-', '+', 'COUNT', 1)
  return first ? timeOf(first[0]) : now()
}

/** Ids that Redis gives begin with its time in milliseconds. */
const timeOf = (position: string): Date => new Date(Number(position.slice(0, position.indexOf('-'))))
