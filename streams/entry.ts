/**
 * Entries of a stream, split into messages.
 *
 * An entry of a mailbox holds one message, whose position is the entry's id. An entry of an event stream holds the events of
 * one commit: the last of them has the sequence that the entry's id spells, and the others come right before.
 */
import { type Envelope, type Fields, fromFields, toFields } from './envelope.ts'

/** A message at its position in its partition. */
export type Entry = {
  /** `n-0` for the event with sequence n, the id of its entry for any other message. */
  position: string
  /** Not parsed yet. */
  message: unknown
  /** Set when the entry as a whole could not be read. */
  unreadable?: unknown
  fields: Fields
}

/** An entry as Redis replies it. */
export type Row = [id: string, fields: Fields]

/**
 * @param after messages up to this position are left out, because part of an entry may be committed.
 * @param sequenced whether the entries are those of an event stream.
 */
export function entriesOf(rows: Row[], after: string, sequenced: boolean): Entry[] {
  return rows.flatMap(([id, fields]): Entry[] => {
    try {
      const messages = fromFields(fields)
      if (messages.length === 1) return [{ position: id, message: messages[0], fields }]
      if (!sequenced) throw new TypeError(`Cannot handle an entry with ${messages.length} messages`)
      return inSequence(id, messages, sequenceOf(after))
    } catch (unreadable) {
      return [{ position: id, message: undefined, unreadable, fields }]
    }
  })
}

function inSequence(id: string, messages: unknown[], after: number): Entry[] {
  const first = sequenceOf(id) - messages.length + 1
  const taken = Math.max(0, after - first + 1)
  return messages.slice(taken).map((message, i) => new Member(`${first + taken + i}-0`, message))
}

/** A class, because each object literal with a getter costs the engine as much as parsing the message. */
class Member implements Entry {
  readonly position: string
  readonly message: unknown

  constructor(position: string, message: unknown) {
    this.position = position
    this.message = message
  }

  /** As an entry of its own: read only when the message becomes a dead letter. */
  get fields(): Fields {
    return toFields([this.message])
  }
}

/**
 * Whether an entry of an event stream can be the log's: its event names the sequence that it is found at, and the right
 * incarnation. Anything else was added by another client, or is left from a future that was undone.
 */
export function isOfLog({ position, message }: Entry, incarnation: string | undefined): boolean {
  const event = message as Partial<Envelope> | null | undefined
  return `${event?.sequence}-0` === position && event?.incarnation === incarnation
}

/** Whether an entry of a mailbox holds a message of another incarnation. An entry without any message does not. */
export const isOfAnother = ({ message }: Entry, incarnation: string | undefined): boolean =>
  typeof message === 'object' &&
  message !== null &&
  (message as Partial<Envelope>).incarnation !== incarnation

/** The sequence that the id of an entry of an event log spells. */
export const sequenceOf = (position: string): number => Number(position.slice(0, position.indexOf('-')))

/** Whether an entry comes before another in its stream. */
export function isBefore(position: string, other: string): boolean {
  const [ms, n] = position.split('-').map(BigInt) as [bigint, bigint]
  const [otherMs, otherN] = other.split('-').map(BigInt) as [bigint, bigint]
  return ms < otherMs || (ms === otherMs && n < otherN)
}
