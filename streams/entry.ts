/**
 * Entries of a stream, split into messages. An entry has the position of its last message, and the others come right before.
 *
 * In an event stream the positions are `n-0`, where n is the event's sequence. In a mailbox they are `ms-n`, and n counts. An
 * entry of a mailbox that holds several messages names their number: its sender has left room for their positions. An id that
 * Redis assigns leaves room for one.
 */
import { countOf, type Envelope, type Fields, fromFields, toFields } from './envelope.ts'

/** A message at its position in its partition. */
export type Entry = {
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
      return sequenced
        ? membersOf(messages, sequenceOf(id), sequenceOf(after), (n) => `${n}-0`)
        : inMailbox(id, messages, countOf(fields), after)
    } catch (unreadable) {
      return [{ position: id, message: undefined, unreadable, fields }]
    }
  })
}

function inMailbox(id: string, messages: unknown[], count: number, after: string): Entry[] {
  const [ms, last] = partsOf(id)
  if (count !== messages.length || count > last + 1 || !Number.isSafeInteger(last))
    throw new TypeError(`Cannot handle an entry with ${messages.length} messages and room for ${count}`)
  const [msAfter, nAfter] = partsOf(after)
  return membersOf(messages, last, ms === msAfter ? nAfter : -1, (n) => `${ms}-${n}`)
}

const partsOf = (position: string): [ms: string, n: number] => {
  const [ms, n] = position.split('-') as [string, string]
  return [ms, Number(n)]
}

/** @param last the number of the last message. @param committed that of the last one that is left out. */
function membersOf(
  messages: unknown[],
  last: number,
  committed: number,
  toPosition: (n: number) => string,
): Entry[] {
  const first = last - messages.length + 1
  const taken = Math.max(0, committed - first + 1)
  return messages.slice(taken).map((message, i) => new Member(toPosition(first + taken + i), message))
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
