/**
 * The events of one commit in one partition: a row of the event log, and an entry of the event stream.
 *
 * An event is serialized once. The log keeps the text; publishing adds what is the same for the whole batch, and the event's
 * sequence.
 */
import { type Envelope, perEntryMax, toArray } from './envelope.ts'
import type { OutgoingEvent } from './handler.ts'

export type EventBatch = {
  partition: number
  /** Sequences of the first and of the last event. */
  first: number
  seq: number
  /** Of the commit, by Postgres's clock: ISO 8601. */
  time: string
  /** The JSON of each event without what publishing adds. */
  events: string[]
}

/** A batch before its commit. */
export type NumberedBatch = Omit<EventBatch, 'time'> & {
  /** Of its events. */
  subjects: Set<string>
}

/** Numbers events per partition, from the last sequence of each. */
export function inBatches(
  events: OutgoingEvent[],
  advances: readonly { partition: number; seq: number }[],
): NumberedBatch[] {
  const last = new Map(advances.map((it) => [it.partition, it.seq]))
  const open = new Map<number, NumberedBatch>()
  const batches: NumberedBatch[] = []
  for (const { partition, event } of events) {
    const seq = last.get(partition)! + 1
    last.set(partition, seq)
    let batch = open.get(partition)
    if (!batch || batch.events.length === perEntryMax) {
      batch = { partition, first: seq, seq, events: [], subjects: new Set() }
      open.set(partition, batch)
      batches.push(batch)
    }
    batch.seq = seq
    batch.events.push(toText(event))
    batch.subjects.add(event.subject)
  }
  return batches
}

const toText = ({ id, type, subject, traceparent, authtype, authid, data }: OutgoingEvent['event']): string =>
  JSON.stringify({ id, type, subject, traceparent, authtype, authid, data })

/** @returns the content of the batch's entry in the event stream. @param shared attributes of all its events. */
export function toEntry({ first, time, events }: EventBatch, shared: Partial<Envelope>): string {
  const head = JSON.stringify({ ...shared, time }).slice(0, -1)
  return toArray(events.map((text, i) => `${head},"sequence":"${first + i}",${text.slice(1)}`))
}

/** A row of the log. */
export type BatchRow = { partition: number; first: number; seq: number; time: Date; events: string }

/** @returns the events of the row after a sequence. */
export function fromRow({ partition, first, seq, time, events }: BatchRow, after: number): EventBatch {
  const from = Math.max(first, after + 1)
  const texts = (JSON.parse(events) as unknown[]).slice(from - first).map((it) => JSON.stringify(it))
  return { partition, first: from, seq, time: time.toISOString(), events: texts }
}
