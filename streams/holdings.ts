/**
 * The partitions that a worker holds: leased from Postgres, aligned in Redis, kept tidy.
 *
 * H1. Leases are renewed beside the work (`lease-keeper.ts`), so that a long batch loses none. Partitions are gained and lost
 *     only when the worker calls `takeOver` (W3).
 * H2. A partition is worked on only after Redis was made to fit what Postgres says: the group is at the offset, and every
 *     committed event is in the stream.
 * H3. A partition for which Redis refuses this is dropped and backs off, and the others go on (`quarantine.ts`).
 */
import { sequenceOf } from './entry.ts'
import { type EventLog, PublishError } from './event-log.ts'
import { leave, releaseLeases } from './lease.ts'
import { LeaseKeeper, type LeaseKeeperOptions } from './lease-keeper.ts'
import { alignGroup, defineMailboxScripts, readEntries } from './mailbox.ts'
import { backTo, fromText, type Mending } from './mending.ts'
import { Owned, positionOf } from './owned.ts'
import { streamKey, type Topic } from './partition.ts'
import type { Pulse } from './pulse.ts'
import { Quarantine } from './quarantine.ts'
import { isReplyError, type RedisClient } from './redis.ts'
import type { Telemetry } from './telemetry.ts'

/** How long a stream may end before the offset: its owner fills it within a second or two. */
const goBackAfterMs = 5_000

export type Log = {
  info(facts: object, text: string): void
  warn(facts: object, text: string): void
  error(facts: object, text: string): void
}

/** `service` is also the name of the consumer group. */
export type HoldingsOptions = LeaseKeeperOptions & {
  topic: Topic
  /** How many the topic has, which decides where each subject belongs. */
  partitions: number
  /** For the service's own events, if it has any. */
  eventLog?: EventLog
  redisPrefix: string
  eventRetentionDays: number
  log: Log
  telemetry: Telemetry
  /** Called with each partition that is dropped from memory. */
  handler: { forget?(partition: number): void }
}

export class Holdings {
  readonly #options: HoldingsOptions
  readonly #redis: RedisClient
  readonly #leases: LeaseKeeper
  readonly #quarantine = new Quarantine()
  readonly #owned = new Map<number, Owned>()
  /** For each partition, the last refill of its stream that this worker knows of. */
  readonly #mendings = new Map<number, string>()
  #trimNext = 0

  constructor(options: HoldingsOptions, redis: RedisClient) {
    this.#options = options
    this.#redis = redis
    this.#leases = new LeaseKeeper(options, redis)
    defineMailboxScripts(redis)
  }

  /** Of the renewals. */
  get pulse(): Pulse {
    return this.#leases.pulse
  }

  /** Whether no other worker of the service was alive when the leases were last renewed. */
  get alone(): boolean {
    return this.#leases.alone
  }

  /** Renews the leases until `signal` is aborted. */
  keepLeases(signal: AbortSignal): Promise<void> {
    return this.#leases.run(signal)
  }

  all(): Owned[] {
    return [...this.#owned.values()]
  }

  /** Whether the worker still holds this partition, and has not lost it meanwhile and perhaps taken it again. */
  holds(owned: Owned): boolean {
    return this.#owned.get(owned.partition) === owned
  }

  /** Drops one partition, or all, from memory, and with it what is known of the leases. */
  forget(partition?: number): void {
    for (const dropped of partition === undefined ? this.#owned.keys() : [partition]) this.#drop(dropped)
    this.#leases.forget()
  }

  /** Drops a partition whose stream continues with an entry that cannot be next. The stream will be recreated. */
  quarantine(owned: Owned, next: string): void {
    const reason = `it continues after ${owned.position} with ${next}`
    this.#quarantine.add(owned, reason)
    this.#backOff(owned, new Error(`Cannot read ${owned.key}: ${reason}`))
  }

  /**
   * Drops a partition whose stream lacks the next event. The owner of the stream sees by the group what is missing, and
   * refills it; deleting the stream would delete the group. If the owner finds nothing wrong, the stream is recreated.
   */
  missNext(owned: Owned, next: string): void {
    const error = new Error(`Cannot read ${owned.key}: it continues after ${owned.position} with ${next}`)
    if (this.#quarantine.mayStillCome(owned)) this.#backOff(owned, error)
    else this.quarantine(owned, next)
  }

  /**
   * A log holds nothing unreadable, so the stream is recreated from it. An event that is unreadable even then is in the log:
   * an older version of a service does not know every event.
   * @throws when an event is unreadable for the first time.
   */
  quarantineUnreadable(unreadable: { partition: number; position: string; reason: string }[]): void {
    const found = unreadable.filter((it) => this.#quarantine.isNews(it.partition, it.position))
    for (const { partition, position, reason } of found) {
      const owned = this.#owned.get(partition)
      if (owned) this.quarantine(owned, `${position}: ${reason}`)
    }
    if (found.length > 0) throw new Error('Cannot read an event that was logged')
  }

  /**
   * Makes the holdings match the leases.
   * @param sure that no batch is in doubt. Until then a surplus is kept: its next owner would repeat effects that the handler
   *   may have shown the outside world already.
   */
  async takeOver(sure: boolean): Promise<void> {
    const { sql, id, log } = this.#options
    const { owned: leases, share } = (await this.#leases.current()) ?? nothing
    const leased = new Set(leases.map((it) => it.partition))
    for (const partition of this.#owned.keys()) if (!leased.has(partition)) this.#drop(partition)

    const surplus = sure ? leases.slice(share).map((it) => it.partition) : []
    if (surplus.length > 0) {
      for (const partition of surplus) this.forget(partition)
      await releaseLeases(sql, id, surplus)
      log.info({ partitions: surplus }, 'gave partitions back')
      return
    }

    const wanted = leases
      .filter((it) => this.#owned.get(it.partition)?.epoch !== it.epoch)
      .filter((it) => !this.#quarantine.isBackingOff(it.partition))
      .map((it) => new Owned(it, this.#keyOf(it.partition), this.#reader))
    for (const { partition } of wanted) this.#drop(partition)
    const gained = await this.#alignAll(wanted, true)
    if (gained.length === 0) return
    for (const { owned } of gained) this.#owned.set(owned.partition, owned)
    log.info({ partitions: gained.map((it) => it.owned.partition) }, 'took partitions over')
  }

  /** Gives everything back. */
  async leave(): Promise<void> {
    const { sql, id, incarnation, log } = this.#options
    await this.show()
    this.forget()
    try {
      if (incarnation.isCurrent) await incarnation.note(sql, this.#redis, await leave(sql, id))
    } catch (error) {
      log.warn({ err: error }, 'cannot give the leases back: they will expire')
    }
  }

  /** Aligns every partition, reports its lag, and trims one. */
  async tidy(): Promise<void> {
    const all = await this.#alignAll(this.all(), false)
    for (const { owned, lag } of all) this.#options.telemetry.lag(owned.partition, lag)
    // One partition per pass, to keep the pause short.
    const next = all[this.#trimNext++ % Math.max(1, all.length)]
    if (next) await this.#trim(next.owned)
  }

  /** Makes the groups show what was committed. If this fails, the next alignment does it. */
  async show(): Promise<void> {
    const moved = this.all().filter((it) => !it.isShown)
    const readings = moved.map((it) => it.readingFrom())
    await readEntries(this.#redis, readings, 0).catch(() => {})
  }

  get #reader(): { group: string; consumer: string } {
    return { group: this.#options.service, consumer: this.#options.id }
  }

  #keyOf(partition: number): string {
    return streamKey(this.#options.redisPrefix, this.#options.topic, partition)
  }

  /** Whether the topic is the service's own mailbox, and not another service's event stream. */
  get #ownsTopic(): boolean {
    return this.#options.topic.owner === this.#options.service
  }

  /** @returns the partitions that could be aligned. The others back off. */
  async #alignAll(partitions: Owned[], taking: boolean): Promise<{ owned: Owned; lag: number }[]> {
    const aligned = await Promise.all(
      partitions.map((owned) =>
        this.#align(owned, taking).then(
          (lag) => [{ owned, lag }],
          (error) => {
            // Any other error is not the partition's own.
            if (!isReplyError(error) && !(error instanceof PublishError)) throw error
            this.#backOff(owned, error)
            return []
          },
        ),
      ),
    )
    return aligned.flat()
  }

  #backOff({ partition, key }: Owned, error: unknown): void {
    this.#quarantine.backOff(partition)
    this.forget(partition)
    this.#options.log.error({ partition, key, err: error }, 'backing off from a partition')
  }

  /** @returns the partition's lag. */
  async #align(owned: Owned, taking: boolean): Promise<number> {
    const { eventLog, log } = this.#options
    const { partition } = owned
    const align = () => alignGroup(this.#redis, owned.cursor, { owner: this.#ownsTopic, taking })
    const fault = this.#quarantine.reasonFor(owned)
    if (fault) await this.#recreate(owned, fault)
    let aligned = await align()
    if (!this.#ownsTopic) await this.#goBackIfNeeded(owned, aligned.end, fromText(aligned.mending))
    if (aligned.misfit) {
      await this.#recreate(owned, aligned.misfit)
      aligned = await align()
    } else if (aligned.created && owned.hasStarted) {
      log.warn({ partition }, 'the consumer group was gone: created it at the offset')
    }
    const reason = await eventLog?.mend(owned)
    if (reason) log.warn({ partition, reason }, 'the stream did not match the event log: filled it again')
    await eventLog?.publish([{ at: owned, events: [] }])
    return aligned.lag
  }

  /** R6. A stream without an end is one that its owner has not filled yet. */
  async #goBackIfNeeded(owned: Owned, end: string, mending: Mending | undefined): Promise<void> {
    const sequence = sequenceOf(owned.position)
    const back = backTo(mending, sequence, this.#mendings.get(owned.partition))
    this.#mendings.set(owned.partition, mending?.id ?? '')
    if (back !== undefined) return await this.#goBack(owned, back, 'the stream was filled again')
    const now = performance.now()
    if (end === '0-0' || sequenceOf(end) >= sequence) owned.endBehind = undefined
    else if (owned.endBehind?.id !== end) owned.endBehind = { id: end, since: now }
    else if (now - owned.endBehind.since > goBackAfterMs)
      await this.#goBack(owned, sequenceOf(end), 'the stream ends there')
  }

  async #goBack(owned: Owned, sequence: number, reason: string): Promise<void> {
    const { sql, log } = this.#options
    const { partition, epoch, position } = owned
    const to = positionOf(sequence)
    const { count } = await sql`
      update mailbox set position = ${to}, processed = ${sequence}
      where partition = ${partition} and epoch = ${epoch} and position = ${position}`
    if (count === 0) return
    owned.goBack(sequence)
    await readEntries(this.#redis, [owned.readingFrom()], 0)
    log.warn(
      { partition, from: position, to, reason },
      'went back: the events read after that may never have been logged',
    )
  }

  /** R5. A stalled owner would mistake its own staleness for a fault of the stream, so it asks Postgres first. */
  async #recreate({ partition, epoch, position, key }: Owned, reason: string): Promise<void> {
    const { sql, log } = this.#options
    const ours = await sql`
      select from mailbox where partition = ${partition} and epoch = ${epoch} and position = ${position}`
    if (ours.count === 0) throw new Error(`Cannot recreate ${key}: another worker owns the partition now`)
    await this.#redis.unlink(key)
    this.#quarantine.remove(partition)
    log.warn({ partition, key, reason }, 'the stream did not fit what is committed: recreated it')
  }

  async #trim(owned: Owned): Promise<void> {
    const { eventLog, eventRetentionDays } = this.#options
    // No other service reads the mailbox, so committed messages are no longer needed.
    if (this.#ownsTopic) await this.#redis.xtrim(owned.key, 'MINID', '~', owned.position)
    if (eventLog) owned.trimTo(await eventLog.trim(owned, eventRetentionDays))
  }

  #drop(partition: number): void {
    this.#owned.delete(partition)
    this.#options.handler.forget?.(partition)
    this.#options.telemetry.released(partition)
  }
}

const nothing = { owned: [], share: 0 }
