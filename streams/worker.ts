/**
 * A worker owns partitions of one topic for one service, and turns their messages into committed effects.
 *
 *   take over ──▶ ┌─▶ read ──▶ handle ──▶ commit ──▶ publish ─┐
 *                 └───────────────────────────────────────────┘
 *
 * All partitions share one loop and one commit. The next batch is read and handled while this one is published. Behind a
 * full batch, the next one is read while that is committed.
 *
 * W1. Messages of one partition are handled in the order of its stream, by one batch at a time.
 * W2. A batch starts where the last commit of its partition ended. After any doubt (an error, a lost connection, an unknown
 *     outcome, a failed fence) the worker drops its memory and what it read ahead, and reads the offsets from Postgres again.
 * W3. A partition changes hands between batches, never within one. No partition is released while a batch's outcome is
 *     unknown.
 * W4. A message that cannot work becomes a dead letter in the same commit, and the partition goes on. If Postgres refuses a
 *     batch, it is first decided again with nothing in memory, because memory may be at fault. After that the worker looks
 *     for the message at fault.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Backoff } from './backoff.ts'
import {
  advanceOf,
  halvesOf,
  lettersOf,
  parse,
  reasonOf,
  redrivenOf,
  type Slice,
  sizeOf,
  slicesOf,
} from './batch.ts'
import { commit, type Letter } from './commit.ts'
import { lettersToRedrive } from './dead-letter.ts'
import { deadline } from './deadline.ts'
import { entriesOf } from './entry.ts'
import { inBatches } from './event-batch.ts'
import type { Publication } from './event-log.ts'
import type { Effects, Handler } from './handler.ts'
import { Holdings, type HoldingsOptions } from './holdings.ts'
import { batchSizeMax, Intake } from './intake.ts'
import { type Form, forms } from './letter.ts'
import { isNoGroup } from './mailbox.ts'
import type { Owned } from './owned.ts'
import { isDataError, isRefusal } from './postgres.ts'
import { Publishing } from './publishing.ts'
import { Pulse } from './pulse.ts'
import { openRedis, type RedisClient, untilReady } from './redis.ts'
import { StreamListener } from './stream-listener.ts'
import type { BatchTrace } from './telemetry.ts'

const tidyEveryMs = 1_000
/** How long Postgres may take for a batch before its outcome counts as unknown. */
const statementWithinMs = 10_000

export type WorkerOptions<Message> = HoldingsOptions & {
  handler: Handler<Message>
  redisUrl: string
  /** Pause before the next batch, for work that can wait: larger batches cost less. */
  gatherMs?: number
}

export class Worker<Message> {
  readonly pulse: Pulse
  readonly #options: WorkerOptions<Message>
  readonly #redis: RedisClient
  readonly #holdings: Holdings
  readonly #intake: Intake
  readonly #publishing = new Publishing()
  readonly #backoff = new Backoff({ initialMs: 50, maxMs: 1_000 })
  #tidiedAt = 0
  /** Whether a batch was handled whose outcome is unknown. */
  #inDoubt = false

  constructor(options: WorkerOptions<Message>) {
    this.#options = options
    this.pulse = new Pulse(`${options.service}-worker`)
    this.#redis = openRedis(options.redisUrl, `${options.id}-worker`)
    this.#holdings = new Holdings(options, this.#redis)
    this.#intake = new Intake(this.#redis, this.#holdings, this.#sequenced, options.incarnation)
  }

  /** Of the work, and of the renewals beside it. */
  get pulses(): Pulse[] {
    return [this.pulse, this.#holdings.pulse]
  }

  /** Whether the topic is another service's event stream, and not the service's own mailbox. */
  get #sequenced(): boolean {
    return this.#options.topic.owner !== this.#options.service
  }

  /** Whether this is the service's only worker, as far as it knows. */
  get alone(): boolean {
    return this.#holdings.alone
  }

  /** Rejects when Redis does not answer on the worker's connection. */
  reachRedis(): Promise<unknown> {
    return this.#redis.ping()
  }

  /** Works until `signal` is aborted. Then it finishes its batch and gives the leases back. */
  async run(signal: AbortSignal): Promise<void> {
    await using listener = new StreamListener(this.#options.redisUrl, `${this.#options.id}-listener`)
    await untilReady(this.#redis)
    const leasing = this.#holdings.keepLeases(signal)
    while (!signal.aborted) {
      this.#options.incarnation.assertSame()
      this.pulse.turn()
      try {
        await this.#holdings.takeOver(!this.#inDoubt)
        await this.#tidy()
        const slices = await this.#read(listener, signal)
        // U2. If the database has gone back meanwhile, the batch must have no effect.
        if (this.#options.incarnation.isCurrent) await this.#settle(slices)
        this.#inDoubt = false
        await this.#gather(slices, signal)
        this.#backoff.reset()
        this.pulse.beat()
      } catch (error) {
        this.pulse.fail(error)
        this.#doubt(error)
        await this.#backoff.wait(signal)
      }
    }
    await leasing
    await this.#publishing.done().catch((error) => this.#doubt(error))
    await this.#holdings.leave()
    this.#redis.disconnect()
  }

  /** A full batch would not become larger by waiting. */
  async #gather(slices: Slice[], signal: AbortSignal): Promise<void> {
    const { gatherMs = 0 } = this.#options
    const size = sizeOf(slices)
    if (gatherMs > 0 && size > 0 && size < batchSizeMax)
      await sleep(gatherMs, undefined, { signal }).catch(() => {})
  }

  async #read(listener: StreamListener, signal: AbortSignal): Promise<Slice[]> {
    const slices = await this.#intake.more()
    if (slices.length > 0) return slices
    await this.#publishing.done()
    return await this.#intake.listen(listener, signal)
  }

  /** Handles, commits and publishes one batch. @param afterRefusal whether Postgres has refused it before. */
  async #settle(slices: Slice[], afterRefusal = false): Promise<void> {
    if (slices.length === 0) return
    let trace: BatchTrace | undefined
    try {
      const { handler, partitions, telemetry, incarnation, log } = this.#options
      const { deliveries, unreadable, undone } = parse(slices, handler, partitions, incarnation.stamp)
      if (undone > 0) log.warn({ messages: undone }, 'skipped messages of another incarnation')
      if (this.#sequenced && !slices.some((it) => it.redriven))
        this.#holdings.quarantineUnreadable(unreadable)
      trace = telemetry.follow?.(deliveries)
      const again = afterRefusal || slices.some((it) => it.redriven)
      if (!again) telemetry.handling(deliveries)
      const handling = deliveries.length > 0 ? handler.handle(deliveries, again) : Promise.resolve(nothing)
      const effects = await deadline(statementWithinMs, 'handle the batch', handling)
      await this.#commit(slices, effects, [...unreadable, ...lettersOf(slices, effects.poison)], trace)
      telemetry.batch(sizeOf(slices))
    } catch (error) {
      this.#intake.forgetAhead()
      trace?.end(error)
      if (!isDataError(error)) throw error
      if (afterRefusal) return await this.#narrow(slices, error)
      for (const { owned } of slices) this.#options.handler.forget?.(owned.partition)
      await this.#settle(slices, true)
    }
  }

  async #commit(
    slices: Slice[],
    effects: Effects,
    letters: Letter[],
    trace?: BatchTrace,
    form?: Form,
  ): Promise<void> {
    const { sql, eventLog, telemetry } = this.#options
    // Always in the same order, or two commits could deadlock.
    const advances = slices.map(advanceOf).sort((a, b) => a.partition - b.partition)
    const outgoing = inBatches(effects.events, advances)
    const redriven = redrivenOf(slices, letters)

    await this.#publishing.done()
    trace?.committing()
    const startedAt = performance.now()
    const committing = commit(sql, {
      advances,
      events: outgoing,
      letters,
      form,
      redriven,
      writes: effects.writes,
      results: effects.results,
    })
    this.#intake.readAhead(slices)
    const { partitions, events, results } = await deadline(statementWithinMs, 'commit the batch', committing)
    const seconds = (performance.now() - startedAt) / 1_000
    trace?.committed(partitions)

    const eventsOf = Map.groupBy(events, (it) => it.partition)
    const publications: Publication[] = []
    for (const slice of slices) {
      const { owned } = slice
      const own = eventsOf.get(owned.partition)
      if (!partitions.has(owned.partition)) this.#fencedOut(owned)
      else owned.advance(slice.to, slice.count, own?.at(-1)?.seq ?? owned.seq)
      const { partition, seq, trimmed } = owned
      if (own && this.#holdings.holds(owned))
        publications.push({ at: { partition, seq, trimmed }, events: own })
    }
    // First, because customers wait for it.
    if (eventLog && publications.length > 0) this.#publishing.start(eventLog, publications, trace)
    else trace?.end()
    effects.committed?.(partitions, results)
    telemetry.committed(seconds)
    this.#report(letters.filter((it) => partitions.has(it.partition)))
  }

  #fencedOut({ partition, epoch }: Owned): void {
    this.#holdings.forget(partition)
    this.#options.telemetry.fenceFailed(partition)
    this.#options.log.warn({ partition, epoch }, 'fenced out: another worker owns the partition now')
  }

  #report(letters: Letter[]): void {
    if (letters.length > 0) this.#options.telemetry.deadLettered(letters.length)
    for (const { fields: _, ...facts } of letters)
      this.#options.log.error(facts, 'set a message aside as a dead letter')
  }

  /**
   * Postgres refuses data of the batch. Each half is settled by itself, down to the message at fault, which becomes a dead
   * letter. That takes a few commits per halving, and no other message waits for long.
   */
  async #narrow(slices: Slice[], error: unknown): Promise<void> {
    const size = sizeOf(slices)
    if (size === 1) {
      const only = slices.filter((it) => it.entries.length > 0)
      const poison = only.map(({ owned, entries }) => ({
        partition: owned.partition,
        position: entries[0]!.position,
        reason: reasonOf(error),
      }))
      return await this.#writeDeadLetter(only, lettersOf(only, poison))
    }
    const [first, rest] = halvesOf(slices)
    await this.#settle(slicesOf(first, size), true)
    // The second half begins where the first ended, except in partitions that were fenced out.
    const kept = rest.filter(([owned]) => this.#holdings.holds(owned))
    await this.#settle(slicesOf(kept, size), true)
  }

  /** Writes a letter whatever it holds: what Postgres refuses is written in another form, or left out. */
  async #writeDeadLetter(only: Slice[], letters: Letter[]): Promise<void> {
    for (const form of forms) {
      try {
        return await this.#commit(only, nothing, letters, undefined, form)
      } catch (error) {
        if (form === 'bare' || !isRefusal(error)) throw error
      }
    }
  }

  async #tidy(): Promise<void> {
    if (performance.now() - this.#tidiedAt < tidyEveryMs) return
    this.#tidiedAt = performance.now()
    // Alignment sets the groups back to the offsets, and may recreate streams.
    this.#intake.forgetAhead()
    await this.#publishing.done()
    await this.#holdings.tidy()
    const all = new Map(this.#holdings.all().map((it) => [it.partition, it]))
    for (const letter of await lettersToRedrive(this.#options.sql, [...all.keys()])) {
      const owned = all.get(letter.partition)!
      const { position } = owned
      // A version that read one message per entry has set whole entries aside.
      for (const entry of entriesOf([[letter.position, letter.fields]], '0-0', this.#sequenced))
        await this.#settle([
          { owned, from: position, to: position, count: 0, entries: [entry], redriven: true },
        ])
    }
  }

  #doubt(error: unknown): void {
    const facts = isNoGroup(error) ? {} : { err: error }
    this.#options.log.warn(facts, 'starting over from the committed offsets')
    this.#holdings.forget()
    this.#inDoubt = true
    this.#publishing.forget()
    this.#intake.forgetAhead()
  }
}

const nothing: Effects = { writes: [], events: [], poison: [] }
