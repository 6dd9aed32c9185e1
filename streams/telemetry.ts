import type { Delivery } from './handler.ts'

/** What becomes of one batch, told as it happens; `end` last, whatever happened. */
export type BatchTrace = {
  /** It is decided what follows from the messages. */
  committing(): void
  committed(partitions: ReadonlySet<number>): void
  publishing(events: number): void
  /** @param error when it is done again, or nobody knows whether it was done. */
  end(error?: unknown): void
}

/** What the runtime tells about itself while it works. Called on the hot path: must be cheap, must not throw. */
export type Telemetry = {
  /** A batch was read. @param size its messages. */
  batch(size: number): void
  /** A batch was committed. @param seconds how long the commit statement took. */
  committed(seconds: number): void
  fenceFailed(partition: number): void
  deadLettered(count: number): void
  /** @param entries in the partition's stream, not yet committed. */
  lag(partition: number, entries: number): void
  /** The partition is no longer ours: what is reported of it is another worker's. */
  released(partition: number): void
  /** Follows a batch from when it is parsed. Absent when nobody traces anything. */
  follow?(deliveries: Delivery<unknown>[]): BatchTrace | undefined
}

export const silent: Telemetry = {
  batch() {},
  committed() {},
  fenceFailed() {},
  deadLettered() {},
  lag() {},
  released() {},
}
