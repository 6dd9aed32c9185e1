/** A batch: the messages that were read from each partition, parsed, and what follows from them for the commit. */
import type { Advance, Letter } from './commit.ts'
import { type Entry, isOfAnother, isOfLog, sequenceOf } from './entry.ts'
import { type Fields, parseEnvelope } from './envelope.ts'
import type { Delivery, Handler, Poison } from './handler.ts'
import type { Owned } from './owned.ts'
import { partitionOf } from './partition.ts'

/** Consecutive messages of one partition, or a dead letter that is redriven, which moves no offset. */
export type Slice = {
  owned: Owned
  from: string
  to: string
  count: number
  entries: Entry[]
  redriven?: true
}

/** @param entries those that follow the offset. @returns one slice, or none without entries. */
function sliceOf(owned: Owned, entries: Entry[]): Slice[] {
  const last = entries.at(-1)
  return last ? [{ owned, from: owned.position, to: last.position, count: entries.length, entries }] : []
}

/** Whether an entry may be committed after the position `before`. */
export type Follows = (entry: Entry, before: string) => boolean

/** For an event stream: no event is missing, and none was added by another client. @param incarnation of the events. */
export const isNextEvent =
  (incarnation: string | undefined): Follows =>
  (entry, before) =>
    entry.position === `${sequenceOf(before) + 1}-0` && isOfLog(entry, incarnation)

/** For a mailbox: Redis could add nothing behind an id without bounds. The ids that it assigns are times in milliseconds. */
export const isNextMessage: Follows = ({ position }) => sequenceOf(position) <= Number.MAX_SAFE_INTEGER

/** @returns the entries before the first that may not follow. */
export function validOf(entries: Entry[], offset: string, follows: Follows): Entry[] {
  const end = entries.findIndex((it, i) => !follows(it, entries[i - 1]?.position ?? offset))
  return end < 0 ? entries : entries.slice(0, end)
}

/** @returns the first `limit` messages of the streams, in the order given. */
export function slicesOf(streams: [Owned, Entry[]][], limit: number): Slice[] {
  const slices: Slice[] = []
  let left = limit
  for (const [owned, entries] of streams) {
    const taken = entries.slice(0, left)
    left -= taken.length
    slices.push(...sliceOf(owned, taken))
  }
  return slices
}

/** @returns the messages of each half by partition. They become slices when their turn comes. */
export function halvesOf(slices: Slice[]): [[Owned, Entry[]][], [Owned, Entry[]][]] {
  const first: [Owned, Entry[]][] = []
  const rest: [Owned, Entry[]][] = []
  let left = Math.ceil(sizeOf(slices) / 2)
  for (const { owned, entries } of slices) {
    first.push([owned, entries.slice(0, left)])
    rest.push([owned, entries.slice(left)])
    left = Math.max(0, left - entries.length)
  }
  return [first, rest]
}

export const sizeOf = (slices: Slice[]): number => slices.reduce((sum, it) => sum + it.entries.length, 0)

type Parsed<Message> = {
  deliveries: Delivery<Message>[]
  unreadable: Letter[]
  /** How many messages of another incarnation were skipped. */
  undone: number
}

/**
 * Parses every message, once. A message that cannot be parsed is a dead letter. So is a message in another partition than
 * its subject's, because two owners must not decide about one subject.
 * @param incarnation of the messages. A dead letter that is redriven may be of any.
 */
export function parse<Message>(
  slices: Slice[],
  handler: Handler<Message>,
  partitions: number,
  incarnation: string | undefined,
): Parsed<Message> {
  const deliveries: Delivery<Message>[] = []
  const unreadable: Letter[] = []
  let undone = 0
  for (const { owned, entries, redriven } of slices) {
    const { partition } = owned
    for (const entry of entries) {
      const { position } = entry
      if (!redriven && isOfAnother(entry, incarnation)) {
        undone++
        continue
      }
      try {
        if (entry.unreadable) throw entry.unreadable
        const envelope = parseEnvelope(entry.message)
        const home = partitionOf(envelope.subject, partitions)
        if (home !== partition) throw new Error(`${envelope.subject} belongs to partition ${home}`)
        const delivery = { partition, position, envelope, message: handler.parse(envelope) }
        deliveries.push(redriven ? { ...delivery, redriven } : delivery)
      } catch (error) {
        unreadable.push({ partition, position, fields: entry.fields, reason: reasonOf(error) })
      }
    }
  }
  return { deliveries, unreadable, undone }
}

/** @returns dead letters for poison, with the entries as they were read. */
export const lettersOf = (slices: Slice[], poison: Poison[]): Letter[] =>
  poison.map((it) => ({ ...it, fields: fieldsAt(slices, it) }))

/** @returns the redriven letters that did not fail again. */
export function redrivenOf(slices: Slice[], letters: Letter[]): { partition: number; position: string }[] {
  const failed = new Set(letters.map((it) => `${it.partition} ${it.position}`))
  return slices
    .filter((it) => it.redriven)
    .flatMap(({ owned: { partition }, entries }) => entries.map(({ position }) => ({ partition, position })))
    .filter((it) => !failed.has(`${it.partition} ${it.position}`))
}

export const advanceOf = ({ owned, from, to, count }: Slice): Advance => ({
  partition: owned.partition,
  epoch: owned.epoch,
  from,
  to,
  count,
  seq: owned.seq,
})

/** @returns why a message became a dead letter, for the operator who reads it. */
export const reasonOf = (error: unknown): string =>
  (error instanceof Error ? `${error.name}: ${error.message}` : String(error)).slice(0, 2_000)

const fieldsAt = (slices: Slice[], at: Poison): Fields =>
  slices.find((it) => it.owned.partition === at.partition)?.entries.find((it) => it.position === at.position)
    ?.fields ?? []
