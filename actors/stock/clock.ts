/**
 * Sends the messages that time causes: a hold ends some time after its deadline, a wait ends, a queue is not finished. The clock
 * changes no hold itself. The book decides when it reads the message, so a hold that was extended, or a copy that was
 * handed over meanwhile, stays as it is.
 *
 * - Only Postgres's clock counts.
 * - Nothing is sent to a mailbox that stock has not read to its end. Otherwise a hand-over that staff sent in time, and that is
 *   still to be read, could find that the hold has expired.
 * - Redis may lose a message, so one without an effect is sent again after a minute.
 *
 * Deadlines are days ahead, so the clock looks at the first of each kind, and again when it is due: after 10 s at the latest,
 * because a new deadline may be earlier. At rest that is one statement in 10 s.
 */
import type { Log } from '../../platform/log.ts'
import { Rounds } from '../../platform/rounds.ts'
import { isBefore } from '../../streams/entry.ts'
import type { Envelope } from '../../streams/envelope.ts'
import { committedBy, endOf, groupOf } from '../../streams/groups.ts'
import { streamKey } from '../../streams/partition.ts'
import type { Sql } from '../../streams/postgres.ts'
import type { RedisClient } from '../../streams/redis.ts'
import type { Sender } from '../../streams/sender.ts'
import { loopCommand, type StockCommand, topics } from '../messages.ts'
import type { CalendarCache } from './closing-days.ts'
import * as due from './due.ts'

const pauseMinMs = 1_000
const pauseMaxMs = 10_000

export type ClockOptions = {
  sql: Sql
  redis: RedisClient
  prefix: string
  partitions: number
  sender: Pick<Sender, 'send'>
  /** How long after its deadline a copy stays on the hold shelf. */
  graceMs: number
  /** Reloaded at the clock's pace. */
  calendar: Pick<CalendarCache, 'reload'>
  log: Log
  /** While false, nothing is sent. */
  maySend(): boolean
}

type Sent = Extract<StockCommand, { type: 'ExpireHold' | 'LapseWait' | 'TendQueue' }>

export class Clock extends Rounds {
  readonly #options: ClockOptions

  constructor(options: ClockOptions) {
    super({ name: 'clock', jitter: 0.25 })
    this.#options = options
  }

  protected async round(): Promise<number> {
    const { calendar, maySend } = this.#options
    const pauseMs = maySend() ? await sendDue(this.#options) : pauseMinMs
    await calendar.reload()
    return pauseMs
  }

  protected failed(error: unknown): number {
    this.#options.log.warn({ err: error }, 'cannot send due messages yet')
    return pauseMinMs
  }
}

/** @returns how long to wait until the next look, milliseconds. */
async function sendDue(options: ClockOptions): Promise<number> {
  const { sql, graceMs, log, sender } = options
  const next = await due.nextDue(sql, graceMs)
  const waitMs = Math.min(...Object.values(next).map((ms) => ms ?? pauseMaxMs))
  if (waitMs >= 0) return Math.max(pauseMinMs, Math.min(waitMs, pauseMaxMs))
  const read = await partitionsRead(options)
  const expiries = isDue(next.expiry) ? await due.claimExpiries(sql, read, graceMs) : []
  const lapses = isDue(next.lapse) ? await due.claimLapses(sql, read) : []
  const untended = isDue(next.tending) ? await due.claimUntended(sql, read) : []
  const messages = [
    ...expiries.map((it) => envelopeOf({ type: 'ExpireHold', ...inMessage(it) }, it.at)),
    ...lapses.map((it) => envelopeOf({ type: 'LapseWait', ...inMessage(it) }, it.at)),
    ...untended.map(({ bookid, at }) => tendQueue(bookid, at)),
  ]
  await Promise.all(messages.map((it) => sender.send(it)))
  if (messages.length > 0) {
    const counts = { expiries: expiries.length, lapses: lapses.length, untended: untended.length }
    log.info(counts, 'sent due messages')
  }
  return pauseMinMs
}

const isDue = (ms: number | null) => ms !== null && ms < 0

/** The partitions whose mailbox stock has read to its end. */
async function partitionsRead(options: ClockOptions): Promise<number[]> {
  const all = Array.from({ length: options.partitions }, (_, partition) => partition)
  const read = await Promise.all(all.map((partition) => isRead(options, partition)))
  return all.filter((partition) => read[partition])
}

async function isRead({ redis, prefix }: ClockOptions, partition: number): Promise<boolean> {
  const [end, group] = await Promise.all([
    endOf(redis, streamKey(prefix, topics.stockMailbox, partition)),
    groupOf(redis, prefix, topics.stockMailbox, partition, 'stock'),
  ])
  if (end === undefined) return true
  const passed = group && committedBy(group)
  return passed !== undefined && !isBefore(passed, end)
}

/** The message that goes on with a queue. @param at by Postgres's clock. */
export const tendQueue = (bookid: string, at: Date): Envelope => envelopeOf({ type: 'TendQueue', bookid }, at)

const inMessage = ({ at, ...reservation }: due.DueReservation) => ({ ...reservation, at: at.toISOString() })

function envelopeOf(command: Sent, at: Date): Envelope {
  const about = 'reservationid' in command ? command.reservationid : command.bookid
  return loopCommand('/stock/clock', `${about}/${command.type}`, at, command)
}
