/** A partition that this worker owns. Only the methods below move it, and only after Postgres has committed the move. */
import type { Lease } from './lease.ts'
import type { Cursor, Reading } from './mailbox.ts'

export class Owned {
  readonly partition: number
  readonly epoch: number
  /** Of the stream. */
  readonly key: string
  /** The end of the stream while it is behind the offset, and since when it has been this one (`performance.now()`). */
  endBehind: { id: string; since: number } | undefined
  readonly #reader: { group: string; consumer: string }
  #position: string
  #processed: number
  #seq: number
  #trimmed: number
  #shown = ''

  constructor(lease: Lease, key: string, reader: { group: string; consumer: string }) {
    this.partition = lease.partition
    this.epoch = lease.epoch
    this.key = key
    this.#reader = reader
    this.#position = lease.position
    this.#processed = lease.processed
    this.#seq = lease.seq
    this.#trimmed = lease.trimmed
  }

  /** The offset. */
  get position(): string {
    return this.#position
  }

  /** Sequence of the last committed event. */
  get seq(): number {
    return this.#seq
  }

  /** The sequence up to which the event stream is trimmed. */
  get trimmed(): number {
    return this.#trimmed
  }

  /** Whether the group shows the offset, as far as this worker knows. */
  get isShown(): boolean {
    return this.#shown === this.#position
  }

  /** Whether any message of the partition was ever committed. */
  get hasStarted(): boolean {
    return this.#processed > 0
  }

  get cursor(): Cursor {
    return { key: this.key, ...this.#reader, position: this.#position, processed: this.#processed }
  }

  /**
   * Sending the reading makes the group show the offset.
   * @param after where to read from: the entries between the offset and this position are about to be committed.
   */
  readingFrom(after = this.#position): Reading {
    this.#shown = this.#position
    return { ...this.cursor, after }
  }

  /** @param count messages up to `position`. @param seq of the last event after the commit. */
  advance(position: string, count: number, seq: number): void {
    this.#position = position
    this.#processed += count
    this.#seq = seq
  }

  /** To an earlier event of the stream that it consumes (R6). */
  goBack(sequence: number): void {
    this.#position = positionOf(sequence)
    this.#processed = sequence
  }

  trimTo(seq: number): void {
    this.#trimmed = seq
  }
}

/** @returns the position of an event in its stream. */
export const positionOf = (sequence: number): string => `${sequence}-0`
