/** A service gives the runtime a handler, which parses messages and decides what follows from them. */
import type { Envelope } from './envelope.ts'
import type { Fragment } from './postgres.ts'

/** A message at its position in its partition. */
export type Delivery<Message> = {
  partition: number
  /** As in `Entry`. */
  position: string
  envelope: Envelope
  message: Message
  /** A dead letter, which may come after messages that followed it. */
  redriven?: true
}

/** An event to be appended to the log of its partition, in the order given. Its time is that of the commit. */
export type OutgoingEvent = {
  partition: number
  event: Pick<Envelope, 'id' | 'type' | 'subject' | 'traceparent' | 'authtype' | 'authid' | 'data'>
}

/** A message that no retry can make work. It becomes a dead letter. */
export type Poison = { partition: number; position: string; reason: string }

/**
 * Rows that the commit returns to the handler: a select of `null::int` and a JSON object, from parts of `writes`.
 * `Result` is the type of the object.
 */
export type Results<Result> = Fragment & { readonly result?: Result }

/** Everything that one batch changes. Per partition, all of it is committed or nothing. */
export type Effects<Result = unknown> = {
  /**
   * Named parts of the commit statement (`name as (insert …)`). Every part must take its rows from `fencedRows` (`rows.ts`),
   * so that a fenced-out owner writes nothing.
   */
  writes: Fragment[]
  events: OutgoingEvent[]
  poison: Poison[]
  results?: Results<Result>
  /** Called once the batch is committed, with the partitions whose fence held, and the results. Must not throw. */
  committed?(partitions: ReadonlySet<number>, results: Result[]): void
}

export type Handler<Message, Result = unknown> = {
  /** @throws when the envelope is not a message of this service: it becomes a dead letter. */
  parse(envelope: Envelope): Message
  /**
   * Decides a batch, in which the messages of one partition are in the order of their stream. Reads only.
   * @param afterRefusal Postgres has refused the batch before, or a dead letter is redriven after messages that followed it:
   *   the handler must rely on nothing in memory.
   * @throws on a transient fault: the batch is read again.
   */
  handle(batch: Delivery<Message>[], afterRefusal?: boolean): Promise<Effects<Result>>
  /** Called when the handler's memory of a partition may differ from Postgres. */
  forget?(partition: number): void
}
