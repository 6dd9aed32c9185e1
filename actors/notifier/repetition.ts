/**
 * Notices which events may have been read before, so that stock's word for a first answer is not taken for them.
 *
 * In a partition's log the times of commits do not fall. An event that another client has copied into the stream has the
 * time and the id of the original, so it is either older than the newest that was read, or one of those of that time. Where
 * the clock of Postgres was set back, events that are new count as repeated too: then they are looked for, as any other.
 */
import type { Delivery } from '../../streams/handler.ts'

type Newest = { time: string; ids: Set<string> }

export class Repetition {
  readonly #newest = new Map<number, Newest>()

  /** @returns whether this is certainly the first time. Must be asked of each event, in the order of the stream. */
  isNew({ partition, envelope: { id, time } }: Pick<Delivery<unknown>, 'partition' | 'envelope'>): boolean {
    const newest = this.#newest.get(partition)
    if (newest === undefined || time > newest.time) {
      this.#newest.set(partition, { time, ids: new Set([id]) })
      return newest !== undefined
    }
    if (time < newest.time || newest.ids.has(id)) return false
    newest.ids.add(id)
    return true
  }
}
