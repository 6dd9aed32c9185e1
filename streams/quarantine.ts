/**
 * Faults of the streams that a worker reads. A partition whose stream is wrong, or refused by Redis, is dropped and backs off
 * (H3). A stream in quarantine is deleted when its partition is aligned again (R5).
 */
import { Backoff } from './backoff.ts'
import { sequenceOf } from './entry.ts'
import type { Owned } from './owned.ts'

const backoffMaxMs = 5_000
/** How often in a row a missing event is waited for. With the pauses between, that takes some seconds. */
const missedMax = 8

export class Quarantine {
  /** Why a stream is wrong, as the owner of an epoch saw it. */
  readonly #reasons = new Map<number, { epoch: number; reason: string }>()
  /** After which position an event was missing, and how often in a row. */
  readonly #missed = new Map<number, { position: string; times: number }>()
  /** The sequence of the last event that could not be read. */
  readonly #unreadable = new Map<number, number>()
  readonly #backoffs = new Map<number, { until: number; backoff: Backoff }>()

  /** @returns why the stream must be deleted, if the partition was in this owner's hands when it went wrong. */
  reasonFor({ partition, epoch }: Owned): string | undefined {
    const it = this.#reasons.get(partition)
    return it?.epoch === epoch ? it.reason : undefined
  }

  add({ partition, epoch }: Owned, reason: string): void {
    this.#reasons.set(partition, { epoch, reason })
  }

  remove(partition: number): void {
    this.#reasons.delete(partition)
  }

  isBackingOff(partition: number): boolean {
    return (this.#backoffs.get(partition)?.until ?? 0) > performance.now()
  }

  /** Each time longer, unless the last time was long ago. */
  backOff(partition: number): void {
    const now = performance.now()
    const before = this.#backoffs.get(partition)
    const isOver = !before || now - before.until > 2 * backoffMaxMs
    const backoff = isOver ? new Backoff({ initialMs: 50, maxMs: backoffMaxMs }) : before.backoff
    this.#backoffs.set(partition, { until: now + backoff.next(), backoff })
  }

  /** Counts that the event after the offset is missing. @returns whether it is worth waiting for it once more. */
  mayStillCome({ partition, position }: Owned): boolean {
    const missed = this.#missed.get(partition)
    const times = missed?.position === position ? missed.times + 1 : 1
    this.#missed.set(partition, { position, times })
    return times <= missedMax
  }

  /** Notes that an event cannot be read. @returns whether it comes after all that were noted before. */
  isNews(partition: number, position: string): boolean {
    const sequence = sequenceOf(position)
    if (sequence <= (this.#unreadable.get(partition) ?? 0)) return false
    this.#unreadable.set(partition, sequence)
    return true
  }
}
