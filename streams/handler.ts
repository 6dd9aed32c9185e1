/** What a service brings to the runtime: how a message is understood and what follows from it. */
import type { Envelope } from './envelope.ts'
import type { Fragment } from './postgres.ts'

/** One message, at its place in its partition. */
export type Delivery<Message> = {
  partition: number
  /** Its entry id. */
  position: string
  envelope: Envelope
  message: Message
}

/** An event to be appended to the log of its partition, in the order given. Its time is that of the commit. */
export type OutgoingEvent = { partition: number; envelope: Omit<Envelope, 'time'> }

/** A message set aside because no retry can make it work. */
export type Poison = { partition: number; position: string; reason: string }

/** Everything that one batch changes. All of it is committed, or none of it, per partition. */
export type Effects = {
  /**
   * Named parts of the commit statement (`name as (insert …)`). The statement defines `fenced (partition)`:
   * the partitions that are still ours. Every part must ask for it, so that a fenced-out owner writes nothing:
   * `where x.partition = any(array(select partition from fenced))`, which is looked up once and not joined row by row.
   */
  writes: Fragment[]
  events: OutgoingEvent[]
  poison: Poison[]
  /** What the commit is to report: a select of two columns, `null::int` and a JSON object, from parts of `writes`. */
  results?: Fragment
  /** Called once the batch is committed, with the partitions whose fence held, and the results. Must not throw. */
  committed?(partitions: ReadonlySet<number>, results: unknown[]): void
}

export type Handler<Message> = {
  /** @throws when the envelope is no message of ours: it becomes a dead letter. */
  parse(envelope: Envelope): Message
  /**
   * Decides a batch: messages of one partition stand in the order of their stream. Reads what it needs, writes nothing.
   * @param fresh Postgres has refused what was decided before, or a dead letter is driven again, behind messages that came
   *   after it: nothing may be taken for granted.
   * @throws on a transient fault: the batch is read again.
   */
  handle(batch: Delivery<Message>[], fresh?: boolean): Promise<Effects>
  /** What is in memory about a partition may no longer be what Postgres has. */
  forget?(partition: number): void
}
