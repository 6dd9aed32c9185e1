/**
 * What a worker takes in: the next messages of the partitions that it holds, at most a batch of them.
 *
 * After a large batch there is probably more: it is read at once, from all partitions, and behind a full batch already while
 * that is committed. Otherwise the doorbell brings what comes; if it brings much, it has only rung, and all partitions are
 * read.
 */
import { isNextEvent, isNextMessage, type Slice, sizeOf, slicesOf, soundOf } from './batch.ts'
import { type Entry, entriesOf, type Row, sequenceOf } from './entry.ts'
import { eventsPerBatchMax } from './event-batch.ts'
import type { Holdings } from './holdings.ts'
import type { Incarnation } from './incarnation.ts'
import { readEntries } from './mailbox.ts'
import type { Owned } from './owned.ts'
import type { RedisClient } from './redis.ts'
import type { Doorbell } from './stream-listener.ts'

/** Messages in a batch at most. */
export const batchSizeMax = 1_000
/** Messages of one partition that the doorbell is to bring at most. More than that is a rush. */
const ringMax = 100
/** How long an idle worker listens before it looks after its leases again. */
const blockMs = 500

export class Intake {
  readonly #redis: RedisClient
  readonly #holdings: Holdings
  readonly #sequenced: boolean
  readonly #incarnation: Incarnation
  #turn = 0
  /** Messages in an entry, as of late: readers can only name a number of entries. */
  #perEntry: number
  /** Whether the last batch was so large that more is probably there. */
  #rush = false
  /** Under way: what follows the batch that is being committed. */
  #ahead: Promise<[Owned, Row[]][]> | undefined

  /** @param sequenced whether the entries are those of an event log, and not of our own mailboxes. */
  constructor(redis: RedisClient, holdings: Holdings, sequenced: boolean, incarnation: Incarnation) {
    this.#redis = redis
    this.#incarnation = incarnation
    this.#holdings = holdings
    this.#sequenced = sequenced
    this.#perEntry = sequenced ? eventsPerBatchMax : 1
  }

  /** In a rush, what is there already. */
  async more(): Promise<Slice[]> {
    const all = this.#holdings.all()
    const slices = this.#rush ? this.#slicesOf((await this.#takeAhead()) ?? (await this.#readFrom(all))) : []
    this.#rush = sizeOf(slices) > all.length
    return slices
  }

  /** Waits for what comes, though not for long. */
  async listen(doorbell: Doorbell, signal: AbortSignal): Promise<Slice[]> {
    void this.#holdings.show()
    const all = this.#holdings.all()
    const count = this.#entriesFor(ringMax)
    const rings = await doorbell.wait(all, count, blockMs, signal)
    const rows = all.map((owned): [Owned, Row[]] => [owned, rings.get(owned.key) ?? []])
    const found = this.#slicesOf(rows)
    this.#rush = rows.some(([, its]) => its.length === count) || sizeOf(found) > all.length
    // It brings what one stream has. In a rush the others have as much, and share the commit.
    if (this.#rush && all.length > 1) return await this.more()
    return found
  }

  /** @param pending what is being committed: if it was a full batch, what follows is read meanwhile. */
  readAhead(pending: Slice[]): void {
    // Whoever does not read on at once would find it later, out of date.
    if (sizeOf(pending) < batchSizeMax || !this.#rush) return
    this.#ahead = this.#readFrom(this.#holdings.all(), pending)
    this.#ahead.catch(() => {}) // Seen when it is taken, if it is.
  }

  /** What was read ahead is no longer to be trusted. */
  forgetAhead(): void {
    this.#ahead = undefined
  }

  /** @param pending what is being committed: it is read from behind that. */
  async #readFrom(partitions: Owned[], pending: Slice[] = []): Promise<[Owned, Row[]][]> {
    // Who was served first last time is served last.
    const first = this.#turn++ % Math.max(1, partitions.length)
    const inTurn = [...partitions.slice(first), ...partitions.slice(0, first)]
    const ends = new Map(pending.map(({ owned, to }) => [owned, to]))
    const readings = inTurn.map((owned) => owned.readingFrom(ends.get(owned)))
    const found = await readEntries(this.#redis, readings, this.#entriesFor(batchSizeMax))
    return inTurn.map((owned, i) => [owned, found[i]!])
  }

  /** What was read ahead, of the partitions that are still ours. */
  async #takeAhead(): Promise<[Owned, Row[]][] | undefined> {
    const ahead = this.#ahead
    this.#ahead = undefined
    return (await ahead)?.filter(([owned]) => this.#holdings.holds(owned))
  }

  #entriesFor(messages: number): number {
    return Math.ceil(messages / this.#perEntry)
  }

  #slicesOf(streams: [Owned, Row[]][]): Slice[] {
    const found = streams.map(([owned, rows]): [Owned, Entry[]] => [
      owned,
      this.#sound(owned, entriesOf(rows, owned.position, this.#sequenced)),
    ])
    const entries = streams.reduce((sum, [, rows]) => sum + rows.length, 0)
    const messages = found.reduce((sum, [, its]) => sum + its.length, 0)
    if (entries > 0) this.#perEntry = Math.max(messages / entries, 1)
    return slicesOf(found, batchSizeMax)
  }

  /** What of the entries may be worked on. A partition that has something else next is left alone until it is mended. */
  #sound(owned: Owned, entries: Entry[]): Entry[] {
    const follows = this.#sequenced ? isNextEvent(this.#incarnation.stamp) : isNextMessage
    const sound = soundOf(entries, owned.position, follows)
    const [next] = entries
    if (next && sound.length === 0) {
      const isMissing = this.#sequenced && sequenceOf(next.position) > sequenceOf(owned.position) + 1
      if (isMissing) this.#holdings.missNext(owned, next.position)
      else this.#holdings.quarantine(owned, next.position)
    }
    return sound
  }
}
