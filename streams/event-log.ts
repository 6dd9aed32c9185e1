/**
 * Publishing committed events, in order, from Postgres to the partition's event stream.
 *
 * P1. The events of one commit are a row of the log (`event-batch.ts`) and an entry of the stream, whose id `n-0` is the
 *     sequence of the last. Publishing it again is skipped: a caller that retries need not know.
 * P2. Nothing is appended that would leave a gap. If the stream ends too early, because Redis lost data or a publication
 *     was interrupted, it is filled from the log first. A reader that sees n has seen everything before n.
 * P3. What every consumer has committed is trimmed from the stream, and noted as such in Postgres before: a refill goes
 *     back that far, and further only for a consumer that has gone back.
 * P4. A stream that lacks what a consumer has yet to read, or has what the log has not, is deleted and filled again (`mend`).
 *     An entry that another client has slipped in comes last at first, so it is found in time: it is where the next one
 *     belongs, or it is the last one when the owner looks, which is every second.
 */
import { entriesOf, isOfLog, type Row, sequenceOf } from './entry.ts'
import { batchField, type Envelope } from './envelope.ts'
import { type BatchRow, type EventBatch, fromRow, toEntry } from './event-batch.ts'
import { groupsOf } from './groups.ts'
import type { Incarnation } from './incarnation.ts'
import { mendingKey, toText } from './mending.ts'
import { streamKey, type Topic } from './partition.ts'
import type { Sql } from './postgres.ts'
import type { RedisClient } from './redis.ts'

/** Batches per page of a refill. */
const pageMax = 100
/** How long consumers can find a mending that they have not seen: seconds. */
const mendingForS = 3_600
/** Batches pruned at a time at most: only the oldest are looked at, however long the log. */
const prunedMax = 200

/**
 * For each stream: appends the entries that follow its last one, and returns the sequence that it then ends with: less
 * than that of the last entry offered if there is a gap before the first. `floor` is what was trimmed on purpose.
 * Returns -1 for a stream that has something else where one of the entries belongs.
 * Asked for each key: the floor, the number of entries, and for each the sequences of its first and last event and the
 * batch. Events are what is counted as added, so that a group's lag is one of events too.
 */
const append = `
  local ends, at = {}, 1
  local function take() at = at + 1; return ARGV[at - 1] end
  local function same(a, b)
    local sound, x = pcall(cjson.decode, a)
    if not sound or type(x) ~= 'table' then return false end
    local y = cjson.decode(b)
    for i = 0, math.min(#x, #y) - 1 do
      if type(x[#x - i]) ~= 'table' or x[#x - i].id ~= y[#y - i].id then return false end
    end
    return #x > 0
  end
  for i, key in ipairs(KEYS) do
    local info, last, added, appended, strange = redis.pcall('XINFO', 'STREAM', key), 0, 0, 0, false
    local floor, entries = tonumber(take()), tonumber(take())
    if not info.err then
      for i = 1, #info, 2 do
        if info[i] == 'last-generated-id' then last = tonumber(string.match(info[i + 1], '^%d+')) end
        if info[i] == 'entries-added' then added = info[i + 1] end
      end
    end
    if last < floor then last = floor end
    for _ = 1, entries do
      local first, final, batch = tonumber(take()), tonumber(take()), take()
      if first == last + 1 then
        redis.call('XADD', key, string.format('%d-0', final), '${batchField}', batch)
        last, appended = final, appended + 1
      elseif final <= last then
        local id = string.format('%d-0', final)
        local there = redis.call('XRANGE', key, id, id)[1]
        strange = strange or (there and not same(there[2][2], batch))
      elseif first <= last then
        strange = true
      end
    end
    if appended > 0 and added + appended ~= last then
      redis.call('XSETID', key, string.format('%d-0', last), 'ENTRIESADDED', string.format('%d', last))
    end
    ends[i] = strange and -1 or last
  end
  return ends`

/**
 * Holds a stream against the log, of which it ought to have everything from what was trimmed to the end, or less at the
 * end. Replies with what is wrong, if anything; with the sequence of the first event that it can give; with the lowest
 * offset, at most `floor`, from which a consumer has yet to read; and, unless it was `seen` before, with the last entry and
 * a name for having seen it.
 */
const compare = `
  local key, floor, seq, consumers = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), cjson.decode(ARGV[3])
  local seen = ARGV[4]
  local function record(reply)
    local it = {}
    for i = 1, #reply, 2 do it[reply[i]] = reply[i + 1] end
    return it
  end
  local function sequence(id) return tonumber(string.match(id, '^(%d+)-0$')) end
  local reply = redis.pcall('XINFO', 'STREAM', key)
  if reply.err then
    return { string.find(reply.err, 'no such key') and '' or 'the key holds no stream', floor + 1, floor }
  end
  local stream, low = record(reply), floor
  for _, reply in ipairs(redis.call('XINFO', 'GROUPS', key)) do
    local it = record(reply)
    for _, name in ipairs(consumers) do
      if it.name == name then low = math.min(low, sequence(it['last-delivered-id']) or low) end
    end
  end
  local function fault(text) return { text, floor + 1, low } end
  local last, deleted = sequence(stream['last-generated-id']), stream['max-deleted-entry-id']
  if not last or last > seq then
    return fault('it ends with ' .. stream['last-generated-id'] .. ', the event log with ' .. seq)
  end
  if (sequence(deleted) or seq) > low then return fault('somebody has deleted ' .. deleted) end
  local first, newest, name = last + 1, '', stream['last-generated-id'] .. ' ' .. stream['entries-added']
  if stream.length > 0 then
    local id, fields = unpack(stream['first-entry'])
    first = sequence(id)
    -- An entry holds the events up to the sequence that its id spells.
    local sound, events = pcall(cjson.decode, fields[2])
    if not first or not sound then return fault('somebody has added ' .. id) end
    first = first - #events + 1
    if name ~= seen and stream['last-entry'] then newest = stream['last-entry'] end
  end
  return { first > floor + 1 and 'it begins too late' or '', first, low, name, newest }`

type Scripts = {
  streamsAppend(keys: number, ...args: (string | number)[]): Promise<number[]>
  streamsCompare(
    key: string,
    ...args: (string | number)[]
  ): Promise<[fault: string, first: number, low: number, name?: string, newest?: Row | '']>
}

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
  readonly #sound = new Map<number, { name: string; seq: number }>()
  /** The lowest offset of each partition's consumers, when it was last looked at. */
  readonly #lowest = new Map<number, number | undefined>()

  /** @param source the CloudEvents source of the events, as the service wrote it. */
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
    this.#redis.defineCommand('streamsAppend', { lua: append })
    this.#redis.defineCommand('streamsCompare', { numberOfKeys: 1, lua: compare })
  }

  key(partition: number): string {
    return streamKey(this.#prefix, this.topic, partition)
  }

  /**
   * Publishes newly committed events of several partitions, of each of which `at.seq` is the last, and fills a stream up
   * if it ends before them. With no events it checks that nothing is missing.
   * @throws when a stream has events that the log has not: somebody else writes to it, or Postgres lost data.
   */
  async publish(publications: Publication[]): Promise<void> {
    const ends = await this.#append(publications)
    await Promise.all(publications.map(({ at }, i) => this.#settle(at, ends[i]!)))
  }

  /**
   * Holds the stream against the log. One that lacks what somebody has yet to read, or has more than the log, is deleted
   * and filled again: appending could not mend it.
   * @returns what was wrong, if anything.
   * @throws when the partition is no longer ours as `at` says: then the stream may be right, and we are not.
   */
  async mend(at: Published & { epoch: number }): Promise<string | undefined> {
    const { partition, epoch, seq, trimmed } = at
    const key = this.key(partition)
    const consumers = JSON.stringify(this.topic.consumers)
    const [found, first, low, name, newest] = await (this.#redis as unknown as Scripts).streamsCompare(
      key,
      trimmed,
      seq,
      consumers,
      this.#sound.get(partition)?.name ?? '',
    )
    const fault = found || (newest && (await this.#faultOf(newest, at)))
    if (!fault && name) this.#sound.set(partition, { name, seq: sequenceOf(name) })
    const isGone = name === undefined && !fault
    if (isGone && seq > trimmed) await this.#noteMending(at)
    if (!fault && first <= low + 1) return undefined
    const [ours] = await this.#sql<{ kept: number }[]>`
      select (select coalesce(sum(least(b.seq, m.trimmed) - greatest(b.first - 1, ${low}::bigint)), 0)::int
        from event_batch b
        where b.partition = m.partition and b.seq > ${low}::bigint and b.first <= m.trimmed) as kept
      from mailbox m where partition = ${partition} and epoch = ${epoch} and seq = ${seq}`
    if (!ours) throw new PublishError(`Cannot mend ${key}: it is another's, or has moved on`)
    // What was pruned from the log is gone for everyone.
    const floor = ours.kept === trimmed - low ? low : trimmed
    if (!fault && floor === trimmed) return undefined
    await this.#redis.unlink(key)
    if (fault) await this.#noteMending(at)
    await this.publish([{ at: { ...at, trimmed: floor }, events: [] }])
    return fault || `a consumer has gone back to ${low}`
  }

  /** Consumers go back to what is known to have been the log's. */
  async #noteMending({ partition, seq, trimmed }: Published): Promise<void> {
    const soundUpTo = Math.min(this.#sound.get(partition)?.seq ?? trimmed, seq)
    const note = toText({ id: crypto.randomUUID(), soundUpTo, filledUpTo: seq })
    await this.#redis.set(mendingKey(this.key(partition)), note, 'EX', mendingForS)
    this.#sound.set(partition, { name: '', seq: soundUpTo })
  }

  /** @returns why an entry cannot be the log's, if so. Of what was trimmed the log may have nothing left to compare. */
  async #faultOf([id, fields]: Row, { partition, trimmed }: Published): Promise<string | undefined> {
    const entries = entriesOf([[id, fields]], '0-0', true)
    const isSound = entries.every((it) => isOfLog(it, this.#incarnation.stamp))
    const last = sequenceOf(id)
    if (isSound && last <= trimmed) return undefined
    const logged = await this.#idsBetween(partition, last - entries.length, last)
    const isLogged = entries.every(({ message }, i) => (message as Envelope | undefined)?.id === logged[i])
    return isSound && isLogged ? undefined : `${id} is not what was logged`
  }

  /** @returns the ids of the events after one sequence and up to another. */
  async #idsBetween(partition: number, after: number, upTo: number): Promise<string[]> {
    const rows = await this.#sql<BatchRow[]>`
      select partition, first, seq, time, events from event_batch
      where partition = ${partition} and seq > ${after} and first <= ${upTo} order by seq`
    const events = rows.flatMap((it) => fromRow(it, after).events.map((text) => JSON.parse(text) as Envelope))
    return events.slice(0, upTo - after).map((it) => it.id)
  }

  /** @param end the sequence that the stream ends with, or -1. */
  async #settle(at: Published, end: number): Promise<void> {
    let last = end
    if (last < 0) {
      // It is mended when the partition is aligned.
      throw new PublishError(`Cannot publish to ${this.key(at.partition)}: it has something else there`)
    }
    if (last > at.seq) {
      throw new PublishError(
        `Cannot publish to ${this.key(at.partition)}: it ends with ${last}, the event log with ${at.seq}`,
      )
    }
    while (last < at.seq) {
      const events = await this.#page(at.partition, last)
      const [reached] = events.length > 0 ? await this.#append([{ at, events }]) : [last]
      if (reached! <= last) {
        throw new PublishError(
          `Cannot fill ${this.key(at.partition)}: the event log has nothing right after ${last}`,
        )
      }
      last = reached!
    }
  }

  /** @returns the sequence that each stream ends with. In a cluster, where streams live apart, each takes a call. */
  async #append(publications: Publication[]): Promise<number[]> {
    if (publications.length === 0) return []
    if (this.#redis.isCluster && publications.length > 1) {
      return (await Promise.all(publications.map((it) => this.#append([it])))).flat()
    }
    const keys = publications.map(({ at }) => this.key(at.partition))
    const asked = publications.flatMap(({ at, events }) => {
      return [at.trimmed, events.length, ...events.flatMap((it) => [it.first, it.seq, this.#entryOf(it)])]
    })
    return await (this.#redis as unknown as Scripts).streamsAppend(keys.length, ...keys, ...asked)
  }

  #entryOf(batch: EventBatch): string {
    const incarnation = this.#incarnation.stamp
    return toEntry(batch, { specversion: '1.0', source: this.#source, incarnation })
  }

  /** Events that follow one another without a gap. */
  async #page(partition: number, after: number): Promise<EventBatch[]> {
    const rows = await this.#sql<BatchRow[]>`
      select partition, first, seq, time, events from event_batch
      where partition = ${partition} and seq > ${after} order by seq limit ${pageMax}`
    const gap = rows.findIndex((it, i) => it.first > (rows[i - 1]?.seq ?? after) + 1)
    return (gap < 0 ? rows : rows.slice(0, gap)).map((it) => fromRow(it, after))
  }

  /**
   * Trims what every consumer had committed the last time we looked, and prunes the log below that by age. A consumer may go
   * back, where its stream was filled again (`mending.ts`), but rarely as far as that.
   * While a consumer's group is missing nothing is trimmed: one that has never run loses nothing.
   * @returns the sequence up to which the stream is trimmed now.
   */
  async trim(at: Published & { epoch: number }, retentionDays: number): Promise<number> {
    const now = await this.#lowestOffset(at.partition)
    const before = this.#lowest.get(at.partition)
    this.#lowest.set(at.partition, now)
    const low = Math.min(now ?? 0, before ?? 0)
    if (low > at.trimmed) {
      const noted = await this.#sql`
        update mailbox set trimmed = ${low}
        where partition = ${at.partition} and epoch = ${at.epoch} and trimmed < ${low} and seq >= ${low}`
      if (noted.count === 1) {
        await this.#redis.xtrim(this.key(at.partition), 'MINID', '~', `${low + 1}-0`)
        at.trimmed = low
      }
    }
    await this.#sql`
      with pruned as (
        delete from event_batch where (partition, seq) in (
          select partition, seq from (
            select partition, seq, time from event_batch
            where partition = ${at.partition} and seq <= ${at.trimmed} order by seq limit ${prunedMax}
          ) as oldest
          where time < clock_timestamp() - ${`${retentionDays} days`}::interval)
        returning seq, events
      )
      delete from event_subject s using (
        select distinct event->>'subject' as subject, seq from pruned, json_array_elements(events::json) as event
      ) as gone
      where s.subject = gone.subject and s.seq = gone.seq`
    return at.trimmed
  }

  /** The lowest offset of the consumers, as their groups show it; undefined while one of them shows none, or a wrong one. */
  async #lowestOffset(partition: number): Promise<number | undefined> {
    const groups = await groupsOf(this.#redis, this.key(partition))
    let low: number | undefined
    for (const consumer of this.topic.consumers) {
      const group = groups.find((it) => it.name === consumer)
      // Our consumers leave nothing pending: somebody reads by hand, which moves the cursor past what is not committed.
      if (!group || Number(group.pending) > 0) return undefined
      const offset = sequenceOf(String(group['last-delivered-id']))
      low = Math.min(low ?? offset, offset)
    }
    return low
  }
}
