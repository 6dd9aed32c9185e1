/**
 * Reads the next messages of the partitions that a worker holds, at most a batch of them.
 *
 * After a large batch there is probably more (a rush): all partitions are read at once, and behind a full batch already
 * while that is committed. Otherwise the listener waits for new entries. If it returns many, a rush begins, and all
 * partitions are read.
 */
import { isNextEvent, isNextMessage, type Slice, sizeOf, slicesOf, validOf } from './batch.ts'
import { type Entry, entriesOf, type Row, sequenceOf } from './entry.ts'
import { perEntryMax } from './envelope.ts'
import type { Holdings } from './holdings.ts'
import type { Incarnation } from './incarnation.ts'
import { readEntries } from './mailbox.ts'
import type { Owned } from './owned.ts'
import type { RedisClient } from './redis.ts'
import type { StreamListener } from './stream-listener.ts'

/** Messages in a batch at most. */
export const batchSizeMax = 1_000
/** Messages of one partition that the listener returns at most. A full return begins a rush. */
const listenMax = 100
/** How long an idle worker listens before it checks its leases again. */
const blockMs = 500
/** The pause between two calls that make the groups show the offsets. After each small batch, one would cost as much as reading it. */
const showEveryMs = 100

export class Intake {
  readonly #redis: RedisClient
  readonly #holdings: Holdings
  readonly #sequenced: boolean
  readonly #incarnation: Incarnation
  #turn = 0
  #shownAt = Number.NEGATIVE_INFINITY
  /** Messages per entry in the last read: readers can only limit the number of entries. */
  #perEntry = perEntryMax
  /** Whether the last batch was so large that more messages are probably there. */
  #rush = false
  /** A read under way behind the batch that is being committed. */
  #ahead: Promise<[Owned, Row[]][]> | undefined

  /** @param sequenced whether the topic is another service's event stream, and not the service's own mailbox. */
  constructor(redis: RedisClient, holdings: Holdings, sequenced: boolean, incarnation: Incarnation) {
    this.#redis = redis
    this.#incarnation = incarnation
    this.#holdings = holdings
    this.#sequenced = sequenced
  }

  /** In a rush, reads the messages that are already there. */
  async more(): Promise<Slice[]> {
    const all = this.#holdings.all()
    const slices = this.#rush ? this.#slicesOf((await this.#takeAhead()) ?? (await this.#readFrom(all))) : []
    this.#rush = sizeOf(slices) > all.length
    return slices
  }

  /** Waits briefly for new messages. */
  async listen(listener: StreamListener, signal: AbortSignal): Promise<Slice[]> {
    const shown = this.#show()
    const all = this.#holdings.all()
    const count = this.#entriesFor(listenMax)
    const added = await listener.wait(all, count, shown ? blockMs : showEveryMs, signal)
    const rows = all.map((owned): [Owned, Row[]] => [owned, added.get(owned.key) ?? []])
    const found = this.#slicesOf(rows)
    this.#rush = rows.some(([, its]) => its.length === count) || sizeOf(found) > all.length
    // It returned what one stream has. In a rush the others have as much, and share the commit.
    if (this.#rush && all.length > 1) return await this.more()
    return found
  }

  /** Makes the groups show the offsets (R2). @returns whether it was time. */
  #show(): boolean {
    const now = performance.now()
    if (now - this.#shownAt < showEveryMs) return false
    this.#shownAt = now
    void this.#holdings.show()
    return true
  }

  /** @param pending the batch that is being committed. If it was full, the next one is read meanwhile. */
  readAhead(pending: Slice[]): void {
    // Outside a rush the result would be taken later, when it is out of date.
    if (sizeOf(pending) < batchSizeMax || !this.#rush) return
    this.#ahead = this.#readFrom(this.#holdings.all(), pending)
    this.#ahead.catch(() => {}) // Thrown when it is taken, if it is.
  }

  /** Drops what was read ahead. */
  forgetAhead(): void {
    this.#ahead = undefined
  }

  /** @param pending the batch that is being committed: reads begin behind it. */
  async #readFrom(partitions: Owned[], pending: Slice[] = []): Promise<[Owned, Row[]][]> {
    // The partition that was served first last time is served last.
    const first = this.#turn++ % Math.max(1, partitions.length)
    const inTurn = [...partitions.slice(first), ...partitions.slice(0, first)]
    const ends = new Map(pending.map(({ owned, to }) => [owned, to]))
    const readings = inTurn.map((owned) => owned.readingFrom(ends.get(owned)))
    const found = await readEntries(this.#redis, readings, this.#entriesFor(batchSizeMax))
    return inTurn.map((owned, i) => [owned, found[i]!])
  }

  /** @returns what was read ahead, for the partitions that the worker still holds. */
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
      this.#validOf(owned, entriesOf(rows, owned.position, this.#sequenced)),
    ])
    const entries = streams.reduce((sum, [, rows]) => sum + rows.length, 0)
    const messages = found.reduce((sum, [, its]) => sum + its.length, 0)
    if (entries > 0) this.#perEntry = Math.max(messages / entries, 1)
    return slicesOf(found, batchSizeMax)
  }

  /** @returns the entries that may be handled. A partition whose next entry is wrong is dropped until it is repaired. */
  #validOf(owned: Owned, entries: Entry[]): Entry[] {
    const follows = this.#sequenced ? isNextEvent(this.#incarnation.stamp) : isNextMessage
    const valid = validOf(entries, owned.position, follows)
    const [next] = entries
    if (next && valid.length === 0) {
      const isMissing = this.#sequenced && sequenceOf(next.position) > sequenceOf(owned.position) + 1
      if (isMissing) this.#holdings.missNext(owned, next.position)
      else this.#holdings.quarantine(owned, next.position)
    }
    return valid
  }
}
