import type { Delivery } from './handler.ts'

/** Called as one batch proceeds. `end` is always called, last. */
export type BatchTrace = {
  /** The handler has decided. */
  committing(): void
  committed(partitions: ReadonlySet<number>): void
  publishing(events: number): void
  /** @param error when the batch will be repeated, or its outcome is unknown. */
  end(error?: unknown): void
}

/** Reports of the runtime while it works. Called on the hot path: it must be cheap and must not throw. */
export type Telemetry = {
  /** A batch is about to be handled for the first time. Not called for dead letters that are redriven. */
  handling(deliveries: Delivery<unknown>[]): void
  /** A batch was read. @param size its messages. */
  batch(size: number): void
  /** A batch was committed. @param seconds how long the commit statement took. */
  committed(seconds: number): void
  fenceFailed(partition: number): void
  deadLettered(count: number): void
  /** @param entries messages of the partition that are not committed. */
  lag(partition: number, entries: number): void
  /** The worker no longer holds the partition. */
  released(partition: number): void
  /** Traces a batch from when it is parsed. Absent without tracing. */
  follow?(deliveries: Delivery<unknown>[]): BatchTrace | undefined
}
