/**
 * The partitions that a worker holds: leased from Postgres, aligned in Redis, kept tidy.
 *
 * H1. Renewing runs beside the work, so that a long batch loses no lease; but what is held changes only between batches,
 *     when the worker calls `takeOver` (W3).
 * H2. A partition is worked on only after Redis was made to fit what Postgres says: the group stands at the offset,
 *     and every committed event is in the stream.
 * H3. A partition of which Redis refuses to have that done is left alone for a moment, and the others go on.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Backoff } from './backoff.ts'
import type { Owned, Slice } from './batch.ts'
import { sequenceOf } from './entry.ts'
import { type EventLog, PublishError } from './event-log.ts'
import { groupsOf } from './groups.ts'
import type { Incarnation } from './incarnation.ts'
import { type Lease, type Leases, leave, releaseLeases, renewLeases } from './lease.ts'
import { alignGroup, type Cursor, defineMailboxScripts, type Reading, readEntries } from './mailbox.ts'
import { backTo, fromText, type Mending } from './mending.ts'
import { streamKey, type Topic } from './partition.ts'
import type { Sql } from './postgres.ts'
import { Pulse } from './pulse.ts'
import { isReplyError, type RedisClient } from './redis.ts'
import type { Telemetry } from './telemetry.ts'

const renewEveryMaxMs = 1_000
const restMaxMs = 5_000
/** How long a stream must end before our offset until that is not Redis' doing: its owner fills it within a second or two. */
const goBackAfterMs = 5_000
/** How often what is missing from a stream is waited for. With the pauses between, that is some seconds. */
const missedMax = 8

export type Log = {
  info(facts: object, text: string): void
  warn(facts: object, text: string): void
  error(facts: object, text: string): void
}

export type HoldingsOptions = {
  /** The service: the name of its consumer group. */
  service: string
  /** Unique to the process. */
  id: string
  topic: Topic
  /** How many the topic has, and with that where each subject belongs. */
  partitions: number
  /** Where the service's own events go, if it has any. */
  eventLog?: EventLog
  incarnation: Incarnation
  sql: Sql
  redisPrefix: string
  leaseTtlMs: number
  eventRetentionDays: number
  log: Log
  telemetry: Telemetry
  /** Told of partitions that are dropped from memory. */
  handler: { forget?(partition: number): void }
}

export class Holdings {
  /** That of the renewing. */
  readonly pulse: Pulse
  readonly #options: HoldingsOptions
  readonly #redis: RedisClient
  readonly #owned = new Map<number, Owned>()
  /** Partitions whose stream cannot be right, as the owner of an epoch has seen, and why. */
  readonly #distrusted = new Map<number, { epoch: number; reason: string }>()
  /** For each partition, the last time that its stream was filled again, as far as we have seen. */
  readonly #mendings = new Map<number, string>()
  /** For each partition, after which position something was missing, and how often in a row. */
  readonly #missed = new Map<number, { position: string; times: number }>()
  /** For each partition, the last position that could not be read. */
  readonly #unreadable = new Map<number, string>()
  /** Partitions that are left alone, or were a moment ago. */
  readonly #resting = new Map<number, { until: number; backoff: Backoff }>()
  #leases: Leases | undefined
  #renewing: Promise<Leases> | undefined
  #workers = 0
  /** Rises whenever what is known of the leases is thrown away: an answer still on its way is out of date then. */
  #era = 0
  #trimNext = 0
  /** Until when nothing of others' is taken (L4): without end while renewing fails. */
  #modestUntil = 0

  constructor(options: HoldingsOptions, redis: RedisClient) {
    this.#options = options
    this.#redis = redis
    this.pulse = new Pulse(`${options.service}-leases`)
    defineMailboxScripts(redis)
  }

  all(): Owned[] {
    return [...this.#owned.values()]
  }

  /** Whether no other worker of the service was alive when the leases were last renewed. */
  get alone(): boolean {
    return this.#workers === 1
  }

  /** Whether this is still the partition as we hold it, and not one that was lost and perhaps taken again. */
  holds(owned: Owned): boolean {
    return this.#owned.get(owned.partition) === owned
  }

  /** Drops one partition, or all, from memory. What we know of our leases is no longer to be trusted either. */
  forget(partition?: number): void {
    for (const dropped of partition === undefined ? this.#owned.keys() : [partition]) this.#drop(dropped)
    this.#leases = undefined
    this.#era++
  }

  /** Drops a partition whose stream goes on with what cannot be next: it is to be begun anew. */
  distrust(owned: Owned, next: string): void {
    const reason = `it goes on from ${owned.position} with ${next}`
    this.#distrusted.set(owned.partition, { epoch: owned.epoch, reason })
    this.#rest(owned, new Error(`Cannot read ${owned.key}: ${reason}`))
  }

  /**
   * Drops a partition whose stream lacks what is next. Its owner sees by the group where we stand, and fills the stream from
   * there: if it were deleted, the group would be gone too. An owner that finds nothing wrong is not asked for ever.
   */
  missNext(owned: Owned, next: string): void {
    const missed = this.#missed.get(owned.partition)
    const times = missed?.position === owned.position ? missed.times + 1 : 1
    this.#missed.set(owned.partition, { position: owned.position, times })
    if (times > missedMax) this.distrust(owned, next)
    else
      this.#rest(owned, new Error(`Cannot read ${owned.key}: it goes on from ${owned.position} with ${next}`))
  }

  /**
   * A log has nothing that cannot be read, so the stream is begun anew. What cannot be read even then is the log's: a
   * service that is too old does not know every event.
   * @throws when there is something that has not been distrusted before.
   */
  distrustUnreadable(
    slices: Slice[],
    unreadable: { partition: number; position: string; reason: string }[],
  ): void {
    const news = unreadable.filter(({ partition, position }) => this.#unreadable.get(partition) !== position)
    for (const { partition, position, reason } of news) {
      this.#unreadable.set(partition, position)
      const slice = slices.find((it) => it.owned.partition === partition)
      if (slice) this.distrust(slice.owned, `${position}: ${reason}`)
    }
    if (news.length > 0) throw new Error('Cannot read an event that was logged')
  }

  /** Renews the leases until `signal` is aborted. */
  async keepLeases(signal: AbortSignal): Promise<void> {
    const { leaseTtlMs, log } = this.#options
    while (!signal.aborted) {
      const era = this.#era
      const restMs = Math.min(renewEveryMaxMs, leaseTtlMs / 4)
      try {
        const leases = await this.#renewIfCurrent()
        if (era === this.#era) this.#leases = leases
        this.pulse.beat(restMs)
      } catch (error) {
        this.pulse.fail(error, restMs)
        log.warn({ err: error }, 'cannot renew the leases')
      }
      await sleep(restMs, undefined, { signal }).catch(() => {})
    }
  }

  /**
   * Brings what is held in line with what is leased.
   * @param sure that no batch is in doubt: what is above our share is kept until then, for whoever got it would have to
   * tell all over again what the handler may have told the world already.
   */
  async takeOver(sure: boolean): Promise<void> {
    const { sql, id, incarnation, log } = this.#options
    const known = incarnation.isCurrent ? this.#leases : undefined
    const { owned: leases, share } = known ?? (await this.#freshLeases()) ?? nothing
    const leased = new Set(leases.map((it) => it.partition))
    for (const partition of this.#owned.keys()) if (!leased.has(partition)) this.#drop(partition)

    const surplus = sure ? leases.slice(share).map((it) => it.partition) : []
    if (surplus.length > 0) {
      for (const partition of surplus) this.forget(partition)
      await releaseLeases(sql, id, surplus)
      log.info({ partitions: surplus }, 'gave partitions back')
      return
    }

    const now = performance.now()
    const wanted = leases
      .filter((it) => this.#owned.get(it.partition)?.epoch !== it.epoch)
      .filter((it) => (this.#resting.get(it.partition)?.until ?? 0) <= now)
      .map((it) => this.#adopt(it))
    for (const { partition } of wanted) this.#drop(partition)
    const gained = await this.#alignAll(wanted, true)
    if (gained.length === 0) return
    for (const owned of gained) this.#owned.set(owned.partition, owned)
    log.info({ partitions: gained.map((it) => it.partition) }, 'took partitions over')
  }

  /** Gives everything back. */
  async leave(): Promise<void> {
    const { sql, id, incarnation, log } = this.#options
    await this.show()
    this.forget()
    try {
      if (incarnation.isCurrent) await incarnation.note(sql, this.#redis, await leave(sql, id))
    } catch (error) {
      log.warn({ err: error }, 'cannot give the leases back: they run out by themselves')
    }
  }

  /** Looks after every partition: what Redis may have lost, how far behind we are, what is done with. */
  async tidy(): Promise<void> {
    const all = await this.#alignAll(this.all(), false)
    await Promise.all(all.map((owned) => this.#reportLag(owned)))
    // One partition each time, so that nobody waits long for the broom.
    const next = all[this.#trimNext++ % Math.max(1, all.length)]
    if (next) await this.#trim(next)
  }

  cursorOf(owned: Owned): Cursor {
    const { service, id } = this.#options
    const { key, position, processed } = owned
    return { key, group: service, consumer: id, position, processed }
  }

  /** Has the groups show what was committed since they were last told. What that misses, the next alignment makes up for. */
  async show(): Promise<void> {
    const moved = this.all().filter((it) => it.shown !== it.position)
    await readEntries(
      this.#redis,
      moved.map((it) => this.readingOf(it)),
      0,
    ).catch(() => {})
  }

  /**
   * What to ask of a partition's stream; whoever asks it has the group show what is committed.
   * @param after where to read from: what is before that is committed, or about to be.
   */
  readingOf(owned: Owned, after = owned.position): Reading {
    owned.shown = owned.position
    return { ...this.cursorOf(owned), after }
  }

  /** What we lease, read after whatever made us doubt it. */
  async #freshLeases(): Promise<Leases | undefined> {
    await this.#renewing?.catch(() => {})
    this.#leases = await this.#renewIfCurrent()
    return this.#leases
  }

  /** U2. Whoever has not looked yet, or works with a database that has gone back, counts no beat and leases nothing. */
  async #renewIfCurrent(): Promise<Leases | undefined> {
    const { sql, incarnation } = this.#options
    if (!incarnation.isCurrent) await incarnation.look(sql, this.#redis)
    if (!incarnation.isCurrent) return undefined
    const leases = await this.#renew()
    return incarnation.isCurrent ? leases : undefined
  }

  /** One renewal at a time: of two at once, each would pass over the partitions that the other is taking. */
  #renew(): Promise<Leases> {
    const { sql, id, leaseTtlMs, incarnation } = this.#options
    const before = incarnation.last
    this.#renewing ??= renewLeases(sql, id, leaseTtlMs, performance.now() < this.#modestUntil)
      .then((leases) => {
        if (this.#modestUntil === Number.POSITIVE_INFINITY) this.#modestUntil = performance.now() + leaseTtlMs
        this.#workers = leases.workers
        incarnation.counted(sql, this.#redis, leases.beat, before)
        return leases
      })
      .catch((error) => {
        this.#modestUntil = Number.POSITIVE_INFINITY
        throw error
      })
      .finally(() => {
        this.#renewing = undefined
      })
    return this.#renewing
  }

  #adopt(lease: Lease): Owned {
    const key = streamKey(this.#options.redisPrefix, this.#options.topic, lease.partition)
    return { ...lease, key, shown: '' }
  }

  /** @returns those that could be aligned. The others rest. */
  async #alignAll(partitions: Owned[], taking: boolean): Promise<Owned[]> {
    const aligned = await Promise.all(
      partitions.map((owned) =>
        this.#align(owned, taking).then(
          () => [owned],
          (error) => {
            // Anything else is no fault of the partition's own.
            if (!isReplyError(error) && !(error instanceof PublishError)) throw error
            this.#rest(owned, error)
            return []
          },
        ),
      ),
    )
    return aligned.flat()
  }

  /** H3. Longer, if a moment is not enough. */
  #rest({ partition, key }: Owned, error: unknown): void {
    const now = performance.now()
    const before = this.#resting.get(partition)
    const isOver = !before || now - before.until > 2 * restMaxMs
    const backoff = isOver ? new Backoff({ initialMs: 50, maxMs: restMaxMs }) : before.backoff
    this.#resting.set(partition, { until: now + backoff.next(), backoff })
    this.forget(partition)
    this.#options.log.error({ partition, key, err: error }, 'leaving a partition alone for a moment')
  }

  async #align(owned: Owned, taking: boolean): Promise<void> {
    const { service, topic, eventLog, log } = this.#options
    const { partition } = owned
    const align = () =>
      alignGroup(this.#redis, this.cursorOf(owned), { owner: topic.owner === service, taking })
    const distrusted = this.#distrusted.get(partition)
    if (distrusted?.epoch === owned.epoch) await this.#beginAnew(owned, distrusted.reason)
    const { created, misfit, end, mending } = await align()
    if (topic.owner !== service) await this.#goBackIfNeeded(owned, end, fromText(mending))
    if (misfit) {
      await this.#beginAnew(owned, misfit)
      await align()
    } else if (created && owned.processed > 0) {
      log.warn({ partition }, 'the consumer group was gone: created it at the offset')
    }
    const reason = await eventLog?.mend(owned)
    if (reason) log.warn({ partition, reason }, 'the events were not as logged: filled their stream again')
    await eventLog?.publish([{ at: owned, events: [] }])
  }

  /** R6. A stream without an end is one that its owner has not filled yet. */
  async #goBackIfNeeded(owned: Owned, end: string, mending: Mending | undefined): Promise<void> {
    const sequence = sequenceOf(owned.position)
    const back = backTo(mending, sequence, this.#mendings.get(owned.partition))
    this.#mendings.set(owned.partition, mending?.id ?? '')
    if (back !== undefined) return await this.#goBack(owned, back, 'the stream was filled again')
    const now = performance.now()
    if (end === '0-0' || sequenceOf(end) >= sequence) delete owned.endBehind
    else if (owned.endBehind?.id !== end) owned.endBehind = { id: end, since: now }
    else if (now - owned.endBehind.since > goBackAfterMs)
      await this.#goBack(owned, sequenceOf(end), 'the stream ends there')
  }

  async #goBack(owned: Owned, sequence: number, reason: string): Promise<void> {
    const { sql, log } = this.#options
    const { partition, epoch, position } = owned
    const back = { position: `${sequence}-0`, processed: sequence }
    const { count } = await sql`
      update mailbox set position = ${back.position}, processed = ${back.processed}
      where partition = ${partition} and epoch = ${epoch} and position = ${position}`
    if (count === 0) return
    Object.assign(owned, back)
    await readEntries(this.#redis, [this.readingOf(owned)], 0)
    log.warn(
      { partition, from: position, to: back.position, reason },
      'went back: what was read there may never have been logged',
    )
  }

  /** R5. One who has stalled would take for the stream's fault what is his own, so Postgres is asked first. */
  async #beginAnew({ partition, epoch, position, key }: Owned, reason: string): Promise<void> {
    const { sql, log } = this.#options
    const ours = await sql`
      select from mailbox where partition = ${partition} and epoch = ${epoch} and position = ${position}`
    if (ours.count === 0) throw new Error(`Cannot begin ${key} anew: somebody else owns the partition now`)
    await this.#redis.unlink(key)
    this.#distrusted.delete(partition)
    log.warn({ partition, key, reason }, 'the stream did not fit what is committed: began it anew')
  }

  async #reportLag(owned: Owned): Promise<void> {
    const groups = await groupsOf(this.#redis, owned.key)
    const group = groups.find((it) => it.name === this.#options.service)
    if (group) this.#options.telemetry.lag(owned.partition, Number(group.lag ?? 0))
  }

  async #trim(owned: Owned): Promise<void> {
    const { service, topic, eventLog, eventRetentionDays } = this.#options
    // Nobody else reads our mailboxes: what we have committed is done with.
    if (topic.owner === service) await this.#redis.xtrim(owned.key, 'MINID', '~', owned.position)
    await eventLog?.trim(owned, eventRetentionDays)
  }

  #drop(partition: number): void {
    this.#owned.delete(partition)
    this.#options.handler.forget?.(partition)
    this.#options.telemetry.released(partition)
  }
}

const nothing = { owned: [], share: 0 }
