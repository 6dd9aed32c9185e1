/**
 * Detects events that may have been read before, so that stock's mark of a first answer is not trusted for them.
 *
 * In a partition's log the times of commits never decrease. An event that another client copied into the stream has the
 * time and the id of the original, so it is either older than the newest event read, or one of those with its time. After
 * the clock of Postgres is set back, new events count as repeated too. They are then looked up, like any other.
 */
import type { Delivery } from '../../streams/handler.ts'

type Newest = { time: string; ids: Set<string> }

export class Repetition {
  readonly #newest = new Map<number, Newest>()

  /** Must be called for each event, in the order of the stream. @returns whether this is certainly the first time. */
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
