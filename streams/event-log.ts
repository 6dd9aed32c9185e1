/**
 * Publishing committed events, in order, from Postgres to the partition's event stream (`event-stream.ts`).
 *
 * P1. The events of one commit are a row of the log (`event-batch.ts`) and an entry of the stream, whose id `n-0` is the
 *     sequence of the last. Publishing an entry again has no effect, so retrying is safe.
 * P2. Nothing is appended that would leave a gap. If the stream ends too early, because Redis lost data or a publication
 *     was interrupted, it is filled from the log first. A reader that sees n has seen everything before n.
 * P3. Events that every consumer has committed are trimmed from the stream. The trim is noted in Postgres first: a refill goes
 *     back that far, and further only for a consumer that has gone back.
 * P4. A stream that lacks what a consumer has yet to read, or has what the log has not, is deleted and filled again (`mend`).
 *     An entry that another client has added is the last one at first, so it is found in time: either it is where the next
 *     entry belongs, or it is still the last one when the owner looks, which is every second.
 */
import { entriesOf, isOfLog, type Row, sequenceOf } from './entry.ts'
import type { Envelope } from './envelope.ts'
import { type BatchRow, type EventBatch, fromRow, toEntry } from './event-batch.ts'
import { appendEntries, compareStream, defineEventStreamScripts } from './event-stream.ts'
import { committedBy, groupsOf } from './groups.ts'
import type { Incarnation } from './incarnation.ts'
import { mendingKey, toText } from './mending.ts'
import { streamKey, type Topic } from './partition.ts'
import type { Sql } from './postgres.ts'
import type { RedisClient } from './redis.ts'

/** Batches per page of a refill. */
const pageMax = 100
/** How long consumers can find a refill that they have not seen, seconds. */
const mendingForS = 3_600
/** Batches pruned at a time: only the oldest are looked at, however long the log is. */
const prunedMax = 200

/** A partition's stream and its log do not fit together. */
export class PublishError extends Error {
  override name = 'PublishError'
}

export type Published = { partition: number; seq: number; trimmed: number }
export type Publication = { at: Published; events: EventBatch[] }

export class EventLog {
  readonly #sql: Sql
  readonly #redis: RedisClient
  readonly #prefix: string
  readonly topic: Topic
  readonly #source: string
  readonly #incarnation: Pick<Incarnation, 'stamp'>
  /** For each partition, the last entry that was found in the log: a name for it, and the sequence of its last event. */
  readonly #verified = new Map<number, { name: string; seq: number }>()
  /** For each partition, the lowest offset of its consumers at the last look. */
  readonly #lowest = new Map<number, number | undefined>()

  /** @param options.source the CloudEvents source of the events, as the service wrote it. */
  constructor(options: {
    sql: Sql
    redis: RedisClient
    prefix: string
    topic: Topic
    source: string
    incarnation: Pick<Incarnation, 'stamp'>
  }) {
    this.#sql = options.sql
    this.#redis = options.redis
    this.#prefix = options.prefix
    this.topic = options.topic
    this.#source = options.source
    this.#incarnation = options.incarnation
    defineEventStreamScripts(options.redis)
  }

  key(partition: number): string {
    return streamKey(this.#prefix, this.topic, partition)
  }

  /**
   * Publishes newly committed events of several partitions, where `at.seq` is the last of each, and fills a stream that ends
   * before them. Without events it checks that nothing is missing.
   * @throws {PublishError} when a stream has events that the log has not: another client writes to it, or Postgres lost data.
   */
  async publish(publications: Publication[]): Promise<void> {
    const ends = await this.#append(publications)
    await Promise.all(publications.map(({ at }, i) => this.#fill(at, ends[i]!)))
  }

  /**
   * Compares the stream with the log. A stream that lacks what a consumer has yet to read, or has more than the log, is
   * deleted and filled again, because appending cannot repair it.
   * @returns what was wrong, if anything.
   * @throws {PublishError} when the partition is no longer as `at` says: then the stream may be right, and this owner wrong.
   */
  async mend(at: Published & { epoch: number }): Promise<string | undefined> {
    const { partition, epoch, seq, trimmed } = at
    const key = this.key(partition)
    const { consumers } = this.topic
    const seen = this.#verified.get(partition)?.name ?? ''
    const found = await compareStream(this.#redis, key, { floor: trimmed, seq, consumers, seen })
    const { first, low, name, newest } = found
    const fault = found.fault || (newest && (await this.#faultOf(newest, at)))
    if (!fault && name) this.#verified.set(partition, { name, seq: sequenceOf(name) })
    const isGone = name === undefined && !fault
    if (isGone && seq > trimmed) await this.#noteMending(at)
    if (!fault && first <= low + 1) return undefined
    const [ours] = await this.#sql<{ kept: number }[]>`
      select (select coalesce(sum(least(b.seq, m.trimmed) - greatest(b.first - 1, ${low}::bigint)), 0)::int
        from event_batch b
        where b.partition = m.partition and b.seq > ${low}::bigint and b.first <= m.trimmed) as kept
      from mailbox m where partition = ${partition} and epoch = ${epoch} and seq = ${seq}`
    if (!ours) throw new PublishError(`Cannot repair ${key}: another worker owns it, or it has moved on`)
    // Events that were pruned from the log are gone for every consumer.
    const floor = ours.kept === trimmed - low ? low : trimmed
    if (!fault && floor === trimmed) return undefined
    await this.#redis.unlink(key)
    if (fault) await this.#noteMending(at)
    await this.publish([{ at: { partition, seq, trimmed: floor }, events: [] }])
    return fault || `a consumer has gone back to ${low}`
  }

  /** Consumers go back to the last event that is known to be the log's. */
  async #noteMending({ partition, seq, trimmed }: Published): Promise<void> {
    const soundUpTo = Math.min(this.#verified.get(partition)?.seq ?? trimmed, seq)
    const note = toText({ id: crypto.randomUUID(), soundUpTo, filledUpTo: seq })
    await this.#redis.set(mendingKey(this.key(partition)), note, 'EX', mendingForS)
    this.#verified.set(partition, { name: '', seq: soundUpTo })
  }

  /**
   * @returns why an entry cannot be the log's, if so. Of trimmed events the log may have nothing left to compare with.
   */
  async #faultOf([id, fields]: Row, { partition, trimmed }: Published): Promise<string | undefined> {
    const entries = entriesOf([[id, fields]], '0-0', true)
    const isValid = entries.every((it) => isOfLog(it, this.#incarnation.stamp))
    const last = sequenceOf(id)
    if (isValid && last <= trimmed) return undefined
    const logged = await this.#idsBetween(partition, last - entries.length, last)
    const isLogged = entries.every(({ message }, i) => (message as Envelope | undefined)?.id === logged[i])
    return isValid && isLogged ? undefined : `${id} is not what was logged`
  }

  /** @returns the ids of the events after one sequence and up to another. */
  async #idsBetween(partition: number, after: number, upTo: number): Promise<string[]> {
    const rows = await this.#sql<BatchRow[]>`
      select partition, first, seq, time, events from event_batch
      where partition = ${partition} and seq > ${after} and first <= ${upTo} order by seq`
    const events = rows.flatMap((it) => fromRow(it, after).events.map((text) => JSON.parse(text) as Envelope))
    return events.slice(0, upTo - after).map((it) => it.id)
  }

  /** Fills a stream up to `at.seq`. @param end the sequence of its last event, or -1 (`appendEntries`). */
  async #fill(at: Published, end: number): Promise<void> {
    const key = this.key(at.partition)
    let last = end
    // It is mended when the partition is aligned.
    if (last < 0) throw new PublishError(`Cannot publish to ${key}: it has something else there`)
    if (last > at.seq)
      throw new PublishError(`Cannot publish to ${key}: it ends with ${last}, the event log with ${at.seq}`)
    while (last < at.seq) {
      const events = await this.#page(at.partition, last)
      const [reached] = events.length > 0 ? await this.#append([{ at, events }]) : [last]
      if (reached! <= last)
        throw new PublishError(`Cannot fill ${key}: the event log has nothing right after ${last}`)
      last = reached!
    }
  }

  #append(publications: Publication[]): Promise<number[]> {
    const shared = { specversion: '1.0', source: this.#source, incarnation: this.#incarnation.stamp } as const
    const appends = publications.map(({ at, events }) => ({
      key: this.key(at.partition),
      floor: at.trimmed,
      entries: events.map((it) => ({ first: it.first, seq: it.seq, batch: toEntry(it, shared) })),
    }))
    return appendEntries(this.#redis, appends)
  }

  /** @returns events that follow one another without a gap. */
  async #page(partition: number, after: number): Promise<EventBatch[]> {
    const rows = await this.#sql<BatchRow[]>`
      select partition, first, seq, time, events from event_batch
      where partition = ${partition} and seq > ${after} order by seq limit ${pageMax}`
    const gap = rows.findIndex((it, i) => it.first > (rows[i - 1]?.seq ?? after) + 1)
    return (gap < 0 ? rows : rows.slice(0, gap)).map((it) => fromRow(it, after))
  }

  /**
   * Trims what every consumer had committed at the last look, and prunes the log below that by age. A consumer may go back
   * when its stream was filled again (`mending.ts`), but rarely that far.
   * While a consumer's group is missing nothing is trimmed, so that a consumer that has never run loses nothing.
   * @returns the sequence up to which the stream is trimmed now.
   */
  async trim(at: Published & { epoch: number }, retentionDays: number): Promise<number> {
    const now = await this.#lowestOffset(at.partition)
    const before = this.#lowest.get(at.partition)
    this.#lowest.set(at.partition, now)
    const low = Math.min(now ?? 0, before ?? 0)
    let { trimmed } = at
    if (low > trimmed) {
      const noted = await this.#sql`
        update mailbox set trimmed = ${low}
        where partition = ${at.partition} and epoch = ${at.epoch} and trimmed < ${low} and seq >= ${low}`
      if (noted.count === 1) {
        await this.#redis.xtrim(this.key(at.partition), 'MINID', '~', `${low + 1}-0`)
        trimmed = low
      }
    }
    await this.#sql`
      with pruned as (
        delete from event_batch where (partition, seq) in (
          select partition, seq from (
            select partition, seq, time from event_batch
            where partition = ${at.partition} and seq <= ${trimmed} order by seq limit ${prunedMax}
          ) as oldest
          where time < clock_timestamp() - ${`${retentionDays} days`}::interval)
        returning seq, events
      )
      delete from event_subject s using (
        select distinct event->>'subject' as subject, seq from pruned, json_array_elements(events::json) as event
      ) as gone
      where s.subject = gone.subject and s.seq = gone.seq`
    return trimmed
  }

  /** @returns the lowest offset of the consumers; undefined while the offset of one of them is unknown. */
  async #lowestOffset(partition: number): Promise<number | undefined> {
    const groups = await groupsOf(this.#redis, this.key(partition))
    let low: number | undefined
    for (const consumer of this.topic.consumers) {
      const group = groups.find((it) => it.name === consumer)
      const position = group && committedBy(group)
      if (position === undefined) return undefined
      low = Math.min(low ?? sequenceOf(position), sequenceOf(position))
    }
    return low
  }
}
