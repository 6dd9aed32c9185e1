/**
 * A worker: owns partitions of one topic on behalf of one service, and turns what they hold into committed effects.
 *
 *   take over ──▶ ┌─▶ ring ──▶ read ──▶ handle ──▶ commit ──▶ publish ─┐
 *                 └────────────────────────────────────────────────────┘
 *
 * The next batch is read while the present one is handled. All partitions share one loop and one commit.
 *
 * W1. Messages of one partition are handled in the order of its stream, by one batch at a time.
 * W2. A batch starts where the last commit of its partition ended. After any doubt (an error, a lost connection, an
 *     unknown outcome, a failed fence) what is in memory is dropped and the offsets are read from Postgres again.
 * W3. A partition changes hands between batches, never within one.
 * W4. What cannot work becomes a dead letter in the same commit, and the partition goes on.
 */
import { Backoff } from './backoff.ts'
import {
  advance,
  advanceOf,
  lettersOf,
  type Owned,
  parse,
  reasonOf,
  redrivenOf,
  type Slice,
  sizeOf,
} from './batch.ts'
import { commit, type Letter, type SequencedEvent, sequence } from './commit.ts'
import { lettersToRedrive } from './dead-letter.ts'
import { deadline } from './deadline.ts'
import { Doorbell } from './doorbell.ts'
import type { Effects, Handler } from './handler.ts'
import { Holdings, type HoldingsOptions } from './holdings.ts'
import { isNoGroup, readEntries } from './mailbox.ts'
import { isDataError } from './postgres.ts'
import { Pulse } from './pulse.ts'
import { openRedis, type RedisClient, untilReady } from './redis.ts'

/** Messages per commit at most. */
const batchSizeMax = 1_000
/** How long an idle worker listens before it looks after its leases again. */
const blockMs = 500
const tidyEveryMs = 1_000
/** How long Postgres may take over a batch before its outcome counts as unknown. */
const statementWithinMs = 10_000

export type WorkerOptions<Message> = HoldingsOptions & { handler: Handler<Message>; redisUrl: string }

export class Worker<Message> {
  readonly pulse: Pulse
  readonly #options: WorkerOptions<Message>
  readonly #redis: RedisClient
  readonly #holdings: Holdings
  readonly #backoff = new Backoff({ initialMs: 50, maxMs: 1_000 })
  /** Messages of the next batch at most: less than `batchSizeMax` while one that Postgres refuses is looked for. */
  #limit = batchSizeMax
  #tidiedAt = 0

  constructor(options: WorkerOptions<Message>) {
    this.#options = options
    this.pulse = new Pulse(`${options.service}-worker`)
    this.#redis = openRedis(options.redisUrl, `${options.id}-worker`)
    this.#holdings = new Holdings(options, this.#redis)
  }

  /** Works until `signal` is aborted: then the batch in hand is finished and the leases are given back. */
  async run(signal: AbortSignal): Promise<void> {
    await using doorbell = new Doorbell(this.#options.redisUrl, `${this.#options.id}-doorbell`)
    await untilReady(this.#redis)
    const leasing = this.#holdings.keepLeases(signal)
    let ahead: Promise<Slice[]> | undefined
    while (!signal.aborted) {
      this.pulse.beat()
      try {
        await this.#holdings.takeOver()
        await this.#tidy()
        const slices = await (ahead ?? this.#read(doorbell, signal))
        ahead = undefined
        if (slices.length === 0) continue
        ahead = this.#read(doorbell, signal)
        ahead.catch(() => {}) // Seen when it is awaited; until then it must not count as unhandled.
        await this.#settle(slices.filter(({ owned }) => this.#holdings.holds(owned)))
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
    await this.#holdings.leave()
    this.#redis.disconnect()
  }

  async #read(doorbell: Doorbell, signal: AbortSignal): Promise<Slice[]> {
    const all = this.#holdings.all()
    const watched = all.map((it) => ({ key: it.key, position: it.readTo }))
    const rings = await doorbell.wait(watched, blockMs, signal)
    const news = all.filter((it) => rings.has(it.key)).slice(0, this.#limit)
    const count = Math.max(1, Math.floor(this.#limit / Math.max(1, news.length)))
    const slices = await Promise.all(news.map((owned) => this.#readSlice(owned, count)))
    return slices.filter((slice) => slice !== undefined)
  }

  async #readSlice(owned: Owned, count: number): Promise<Slice | undefined> {
    const from = owned.readTo
    const entries = await readEntries(
      this.#redis,
      this.#holdings.cursorOf(owned),
      count,
      owned.acks.splice(0),
    )
    const to = entries.at(-1)?.position
    if (!to) return undefined
    owned.readTo = to
    owned.readCount += entries.length
    return { owned, from, to, count: entries.length, entries }
  }

  /** Handles, commits and publishes one batch. */
  async #settle(slices: Slice[]): Promise<void> {
    if (slices.length === 0) return
    try {
      const { handler, telemetry } = this.#options
      const { deliveries, unreadable } = parse(slices, handler)
      const handling = deliveries.length > 0 ? handler.handle(deliveries) : Promise.resolve(nothing)
      const effects = await deadline(statementWithinMs, 'handle the batch', handling)
      await this.#commit(slices, effects, [...unreadable, ...lettersOf(slices, effects.poison)])
      telemetry.batch(sizeOf(slices))
      this.#limit = Math.min(batchSizeMax, this.#limit * 2)
    } catch (error) {
      if (!isDataError(error)) throw error
      await this.#narrow(slices, error)
    }
  }

  async #commit(slices: Slice[], effects: Effects, letters: Letter[]): Promise<void> {
    const { sql, eventLog, telemetry } = this.#options
    const advances = slices.map(advanceOf)
    const events = sequence(effects.events, advances)
    const redriven = redrivenOf(slices, letters)
    const { writes, results: wanted } = effects

    const startedAt = performance.now()
    const committing = commit(sql, { advances, events, letters, redriven, writes, results: wanted })
    const { partitions, results } = await deadline(statementWithinMs, 'commit the batch', committing)
    telemetry.committed((performance.now() - startedAt) / 1_000)

    effects.committed?.(partitions, results)
    this.#report(letters.filter((it) => partitions.has(it.partition)))
    const eventsOf = Map.groupBy(events, (it) => it.partition)
    const publishing = slices.map((slice) => {
      const { owned } = slice
      if (!partitions.has(owned.partition)) return this.#fencedOut(owned)
      const own: SequencedEvent[] = eventsOf.get(owned.partition) ?? []
      advance(slice, own.at(-1)?.seq ?? owned.seq)
      return own.length > 0 ? eventLog?.publish(owned, own) : undefined
    })
    await Promise.all(publishing)
  }

  #fencedOut({ partition, epoch }: Owned): void {
    this.#holdings.forget(partition)
    this.#options.telemetry.fenceFailed(partition)
    this.#options.log.warn({ partition, epoch }, 'fenced out: somebody else owns the partition now')
  }

  #report(letters: Letter[]): void {
    if (letters.length > 0) this.#options.telemetry.deadLettered(letters.length)
    for (const { fields: _, ...facts } of letters)
      this.#options.log.error(facts, 'set a message aside as a dead letter')
  }

  /** Postgres refuses data of the batch: smaller ones are tried, until the message that is at fault stands alone. */
  async #narrow(slices: Slice[], error: unknown): Promise<void> {
    const size = sizeOf(slices)
    if (size === 1) {
      const only = slices.filter((it) => it.entries.length > 0)
      const poison = only.map(({ owned, entries }) => ({
        partition: owned.partition,
        position: entries[0]!.position,
        reason: reasonOf(error),
      }))
      await this.#commit(only, nothing, lettersOf(only, poison))
      return
    }
    this.#limit = Math.ceil(size / 2)
    throw new Error(`Cannot commit ${size} messages at once; trying ${this.#limit}`, { cause: error })
  }

  async #tidy(): Promise<void> {
    if (performance.now() - this.#tidiedAt < tidyEveryMs) return
    this.#tidiedAt = performance.now()
    await this.#holdings.tidy()
    const all = new Map(this.#holdings.all().map((it) => [it.partition, it]))
    for (const letter of await lettersToRedrive(this.#options.sql, [...all.keys()])) {
      const owned = all.get(letter.partition)!
      const { position } = owned
      await this.#settle([
        { owned, from: position, to: position, count: 0, entries: [letter], redriven: true },
      ])
    }
  }

  #doubt(error: unknown): void {
    const facts = isNoGroup(error) ? {} : { err: error }
    this.#options.log.warn(facts, 'starting over from the committed offsets')
    this.#holdings.forget()
  }
}

const nothing: Effects = { writes: [], events: [], poison: [] }
