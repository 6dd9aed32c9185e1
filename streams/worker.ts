/**
 * A worker: owns partitions of one topic on behalf of one service, and turns what they hold into committed effects.
 *
 *   lease ──▶ align ──▶ ┌─▶ ring ──▶ read ──▶ handle ──▶ commit ──▶ publish ─┐
 *                       └────────────────────────────────────────────────────┘
 *
 * The next batch is read while the present one is handled. All partitions share one loop and one commit.
 *
 * W1. Messages of one partition are handled in the order of its stream, by one batch at a time.
 * W2. A batch starts where the last commit of its partition ended. After any doubt (an error, a lost connection, an
 *     unknown outcome, a failed fence) everything in memory is dropped and the offsets are read from Postgres again.
 * W3. A partition changes hands between batches, never within one.
 * W4. What cannot work becomes a dead letter in the same commit, and the partition goes on.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Backoff } from './backoff.ts'
import { type Advance, commit, type Letter, sequence } from './commit.ts'
import { lettersToRedrive } from './dead-letter.ts'
import { Doorbell } from './doorbell.ts'
import { type Fields, fromFields } from './envelope.ts'
import { type EventLog, groupsOf } from './event-log.ts'
import type { Delivery, Effects, Handler } from './handler.ts'
import { type Lease, type Leases, leave, releaseLeases, renewLeases } from './lease.ts'
import {
  alignGroup,
  type Cursor,
  defineMailboxScripts,
  type Entry,
  isNoGroup,
  readEntries,
} from './mailbox.ts'
import { streamKey, type Topic } from './partition.ts'
import { isDataError, type Sql } from './postgres.ts'
import { Pulse } from './pulse.ts'
import { openRedis, type RedisClient, untilReady } from './redis.ts'
import type { Telemetry } from './telemetry.ts'

/** Messages per commit at most. */
const batchSizeMax = 1_000
/** How long an idle worker listens before it looks after its leases again. */
const blockMs = 500
const housekeepingMs = 1_000

export type WorkerOptions<Message> = {
  /** The service: the name of its consumer group. */
  service: string
  /** Unique to the process. */
  id: string
  topic: Topic
  /** Where the service's own events go, if it has any. */
  eventLog?: EventLog
  handler: Handler<Message>
  sql: Sql
  redisUrl: string
  redisPrefix: string
  leaseTtlMs: number
  eventRetentionDays: number
  log: {
    info(facts: object, text: string): void
    warn(facts: object, text: string): void
    error(facts: object, text: string): void
  }
  telemetry: Telemetry
}

/** A partition in our hands: what is committed, and how far we have read ahead of that. */
type Owned = Lease & { key: string; readTo: string; readCount: number; acks: string[] }
/** Consecutive entries of one partition. */
type Slice = { owned: Owned; from: string; to: string; count: number; entries: Entry[]; redriven?: boolean }

export class Worker<Message> {
  readonly pulse: Pulse
  readonly #options: WorkerOptions<Message>
  readonly #redis: RedisClient
  readonly #owned = new Map<number, Owned>()
  readonly #backoff = new Backoff({ initialMs: 50, maxMs: 1_000 })
  #leases: Leases | undefined
  /** Rises whenever what is known of the leases is thrown away. */
  #era = 0
  #limit = batchSizeMax
  #housekeptAt = 0
  #trimNext = 0

  constructor(options: WorkerOptions<Message>) {
    this.#options = options
    this.pulse = new Pulse(`${options.service}-worker`)
    this.#redis = openRedis(options.redisUrl, `${options.id}-worker`)
    defineMailboxScripts(this.#redis)
  }

  /** Works until `signal` is aborted: then the batch in hand is finished and the leases are given back. */
  async run(signal: AbortSignal): Promise<void> {
    await using doorbell = new Doorbell(this.#options.redisUrl, `${this.#options.id}-doorbell`)
    await untilReady(this.#redis)
    const leasing = this.#keepLeases(signal)
    let ahead: Promise<Slice[]> | undefined
    while (!signal.aborted) {
      this.pulse.beat()
      try {
        await this.#takeOver()
        await this.#keepHouse()
        const slices = await (ahead ?? this.#read(doorbell, signal))
        ahead = undefined
        if (slices.length === 0) continue
        ahead = this.#read(doorbell, signal)
        ahead.catch(() => {}) // Seen when it is awaited; until then it must not count as unhandled.
        await this.#settle(slices.filter(({ owned }) => this.#owned.get(owned.partition) === owned))
        this.#backoff.reset()
      } catch (error) {
        await ahead?.catch(() => {})
        ahead = undefined
        this.#doubt(error)
        await this.#backoff.wait(signal)
      }
    }
    await leasing
    await ahead?.catch(() => {})
    await leave(this.#options.sql, this.#options.id).catch((error) => {
      this.#options.log.warn({ err: error }, 'Cannot give the leases back: they run out by themselves')
    })
    this.#redis.disconnect()
  }

  async #keepLeases(signal: AbortSignal): Promise<void> {
    const { sql, id, leaseTtlMs, log } = this.#options
    while (!signal.aborted) {
      const era = this.#era
      try {
        const leases = await renewLeases(sql, id, leaseTtlMs)
        if (era === this.#era) this.#leases = leases
      } catch (error) {
        log.warn({ err: error }, 'Cannot renew the leases')
      }
      await sleep(Math.min(1_000, leaseTtlMs / 4), undefined, { signal }).catch(() => {})
    }
  }

  /** Brings what we hold in line with what we lease. */
  async #takeOver(): Promise<void> {
    const { sql, id, log } = this.#options
    this.#leases ??= await renewLeases(sql, id, this.#options.leaseTtlMs)
    const { owned: leases, share } = this.#leases
    const leased = new Set(leases.map((it) => it.partition))
    for (const partition of this.#owned.keys()) if (!leased.has(partition)) this.#owned.delete(partition)

    const surplus = leases.slice(share).map((it) => it.partition)
    if (surplus.length > 0) {
      for (const partition of surplus) this.#owned.delete(partition)
      await releaseLeases(sql, id, surplus)
      this.#forgetLeases()
      log.info({ partitions: surplus }, 'gave partitions back')
      return
    }

    const gained = leases.filter((it) => this.#owned.get(it.partition)?.epoch !== it.epoch)
    if (gained.length === 0) return
    const adopted = gained.map((lease) => this.#adopt(lease))
    await Promise.all(adopted.map((owned) => this.#align(owned)))
    for (const owned of adopted) this.#owned.set(owned.partition, owned)
    log.info({ partitions: gained.map((it) => it.partition) }, 'took partitions over')
  }

  #adopt(lease: Lease): Owned {
    const key = streamKey(this.#options.redisPrefix, this.#options.topic, lease.partition)
    return { ...lease, key, readTo: lease.position, readCount: lease.processed, acks: [] }
  }

  /** Makes Redis fit what is committed: our group stands at the offset, our events are all published. */
  async #align(owned: Owned): Promise<void> {
    const { service, topic, eventLog, log } = this.#options
    const committed = { ...this.#cursor(owned), position: owned.position, processed: owned.processed }
    const created = await alignGroup(this.#redis, committed, topic.owner === service)
    if (created && owned.processed > 0)
      log.warn({ partition: owned.partition }, 'the consumer group was gone: created it at the offset')
    await eventLog?.publish(owned, [])
  }

  #cursor(owned: Owned): Cursor {
    const { service, id } = this.#options
    return {
      key: owned.key,
      group: service,
      consumer: id,
      position: owned.readTo,
      processed: owned.readCount,
    }
  }

  async #read(doorbell: Doorbell, signal: AbortSignal): Promise<Slice[]> {
    const all = [...this.#owned.values()]
    const rings = await doorbell.wait(
      all.map((it) => ({ key: it.key, position: it.readTo })),
      blockMs,
      signal,
    )
    const news = all.filter((it) => rings.has(it.key)).slice(0, this.#limit)
    const count = Math.max(1, Math.floor(this.#limit / Math.max(1, news.length)))
    const slices = await Promise.all(news.map((owned) => this.#readSlice(owned, count)))
    return slices.filter((slice) => slice !== undefined)
  }

  async #readSlice(owned: Owned, count: number): Promise<Slice | undefined> {
    const acks = owned.acks.splice(0)
    const from = owned.readTo
    const entries = await readEntries(this.#redis, this.#cursor(owned), count, acks)
    const to = entries.at(-1)?.position
    if (!to) return undefined
    owned.readTo = to
    owned.readCount += entries.length
    return { owned, from, to, count: entries.length, entries }
  }

  /** Handles, commits and publishes one batch. */
  async #settle(slices: Slice[]): Promise<void> {
    if (slices.length === 0) return
    const size = slices.reduce((sum, it) => sum + it.entries.length, 0)
    try {
      const { batch, letters } = this.#parse(slices)
      const effects = batch.length > 0 ? await this.#options.handler.handle(batch) : nothing
      await this.#commit(slices, effects, letters)
      this.#options.telemetry.batch(size)
      this.#limit = Math.min(batchSizeMax, this.#limit * 2)
    } catch (error) {
      if (!isDataError(error)) throw error
      await this.#narrow(slices, size, error as Error)
    }
  }

  #parse(slices: Slice[]): { batch: Delivery<Message>[]; letters: Letter[] } {
    const batch: Delivery<Message>[] = []
    const letters: Letter[] = []
    for (const { owned, entries } of slices) {
      for (const { position, fields } of entries) {
        const { partition } = owned
        try {
          const envelope = fromFields(fields)
          batch.push({ partition, position, envelope, message: this.#options.handler.parse(envelope) })
        } catch (error) {
          letters.push({ partition, position, fields, reason: reasonOf(error) })
        }
      }
    }
    return { batch, letters }
  }

  async #commit(slices: Slice[], effects: Effects, unreadable: Letter[]): Promise<void> {
    const { sql, eventLog, telemetry, log } = this.#options
    const advances = slices.map(toAdvance)
    const events = sequence(effects.events, advances)
    const letters = [
      ...unreadable,
      ...effects.poison.map((poison) => ({ ...poison, fields: fieldsAt(slices, poison) })),
    ]
    const redriven = slices
      .filter((it) => it.redriven)
      .flatMap(({ owned, entries }) =>
        entries.map(({ position }) => ({ partition: owned.partition, position })),
      )
      .filter(
        (it) =>
          !letters.some((letter) => letter.partition === it.partition && letter.position === it.position),
      )

    const startedAt = performance.now()
    const { partitions: held, results } = await commit(sql, {
      advances,
      events,
      letters,
      redriven,
      writes: effects.writes,
      results: effects.results,
    })
    telemetry.committed((performance.now() - startedAt) / 1_000)
    effects.committed?.(held, results)
    if (letters.length > 0) {
      telemetry.deadLettered(letters.length)
      for (const { fields: _, ...letter } of letters)
        log.error(letter, 'set a message aside as a dead letter')
    }
    for (const slice of slices) {
      const { owned } = slice
      if (held.has(owned.partition)) {
        advance(slice, events)
        continue
      }
      this.#owned.delete(owned.partition)
      this.#forgetLeases()
      telemetry.fenceFailed(owned.partition)
      log.warn(
        { partition: owned.partition, epoch: owned.epoch },
        'fenced out: somebody else owns the partition now',
      )
    }
    if (!eventLog || events.length === 0) return
    const ours = slices.filter(({ owned }) => held.has(owned.partition))
    await Promise.all(
      ours.map(({ owned }) =>
        eventLog.publish(
          owned,
          events.filter((it) => it.partition === owned.partition),
        ),
      ),
    )
  }

  /** Postgres refuses data of the batch: try smaller ones, until the message that is at fault stands alone. */
  async #narrow(slices: Slice[], size: number, error: Error): Promise<void> {
    const only = slices[0]!
    if (size === 1) {
      const letters = only.entries.map((it) => ({
        ...it,
        partition: only.owned.partition,
        reason: reasonOf(error),
      }))
      await this.#commit([only], nothing, letters)
      return
    }
    this.#limit = Math.ceil(size / 2)
    throw new Error(`Cannot commit ${size} messages at once; trying ${this.#limit}`, { cause: error })
  }

  async #keepHouse(): Promise<void> {
    if (performance.now() - this.#housekeptAt < housekeepingMs) return
    this.#housekeptAt = performance.now()
    const all = [...this.#owned.values()]
    await Promise.all(all.map((owned) => this.#align(owned)))
    await Promise.all(all.map((owned) => this.#reportLag(owned)))
    await this.#trimOne(all)
    for (const letter of await lettersToRedrive(
      this.#options.sql,
      all.map((it) => it.partition),
    )) {
      const owned = this.#owned.get(letter.partition)
      if (owned)
        await this.#settle([
          { owned, from: owned.position, to: owned.position, count: 0, entries: [letter], redriven: true },
        ])
    }
  }

  async #reportLag(owned: Owned): Promise<void> {
    const groups = await groupsOf(this.#redis, owned.key)
    const group = groups.find((it) => it.name === this.#options.service)
    if (group) this.#options.telemetry.lag(owned.partition, Number(group.lag ?? 0) + Number(group.pending))
  }

  /** One partition each time, so that nobody waits long for the broom. */
  async #trimOne(all: Owned[]): Promise<void> {
    const { service, topic, eventLog, eventRetentionDays } = this.#options
    const owned = all[this.#trimNext++ % Math.max(1, all.length)]
    if (!owned) return
    // Others may read our mailboxes one day; as long as we are alone, what we have committed is done with.
    if (topic.owner === service) await this.#redis.xtrim(owned.key, 'MINID', '~', owned.position)
    await eventLog?.trim(owned, eventRetentionDays)
  }

  #doubt(error: unknown): void {
    const facts = isNoGroup(error) ? {} : { err: error }
    this.#options.log.warn(facts, 'starting over from the committed offsets')
    this.#owned.clear()
    this.#forgetLeases()
  }

  /** What we know of our leases may be out of date, and so may an answer that is still on its way. */
  #forgetLeases(): void {
    this.#leases = undefined
    this.#era++
  }
}

const nothing: Effects = { writes: [], events: [], poison: [] }

const toAdvance = ({ owned, from, to, count }: Slice): Advance => ({
  partition: owned.partition,
  epoch: owned.epoch,
  from,
  to,
  count,
  seq: owned.seq,
})

/** Notes in memory what the commit has made true. */
function advance(
  { owned, to, count, entries, redriven }: Slice,
  events: { partition: number; seq: number }[],
): void {
  owned.position = to
  owned.processed += count
  owned.seq = events.findLast((it) => it.partition === owned.partition)?.seq ?? owned.seq
  if (!redriven) owned.acks.push(...entries.map((it) => it.position))
}

const fieldsAt = (slices: Slice[], at: { partition: number; position: string }): Fields =>
  slices.find((it) => it.owned.partition === at.partition)?.entries.find((it) => it.position === at.position)
    ?.fields ?? []

const reasonOf = (error: unknown): string =>
  (error instanceof Error ? `${error.name}: ${error.message}` : String(error)).slice(0, 2_000)
