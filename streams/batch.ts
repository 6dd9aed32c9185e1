/** A batch on its way: what was read of each partition, what became of it, what is true once it is committed. */
import type { Advance, Letter } from './commit.ts'
import { type Entry, isOfAnother, isOfLog, sequenceOf } from './entry.ts'
import { type Fields, parseEnvelope } from './envelope.ts'
import type { Delivery, Handler, Poison } from './handler.ts'
import type { Owned } from './owned.ts'
import { partitionOf } from './partition.ts'

/** Consecutive messages of one partition; or a dead letter that is driven again, which moves no offset. */
export type Slice = {
  owned: Owned
  from: string
  to: string
  count: number
  entries: Entry[]
  redriven?: boolean
}

/** @returns the slice that these entries make, which follow the offset; none if there are none. */
function sliceOf(owned: Owned, entries: Entry[]): Slice[] {
  const last = entries.at(-1)
  return last ? [{ owned, from: owned.position, to: last.position, count: entries.length, entries }] : []
}

/** Whether an entry may be committed after the position `before`. */
export type Follows = (entry: Entry, before: string) => boolean

/** In a stream of events: no event is left out, and none is slipped in. @param incarnation that they must be of. */
export const isNextEvent =
  (incarnation: string | undefined): Follows =>
  (entry, before) =>
    entry.position === `${sequenceOf(before) + 1}-0` && isOfLog(entry, incarnation)

/** In a mailbox: behind an id without bounds nothing would ever come. Those that Redis gives are times in milliseconds. */
export const isNextMessage: Follows = ({ position }) => sequenceOf(position) <= Number.MAX_SAFE_INTEGER

/** The entries before the first that may not follow. */
export function soundOf(entries: Entry[], offset: string, follows: Follows): Entry[] {
  const end = entries.findIndex((it, i) => !follows(it, entries[i - 1]?.position ?? offset))
  return end < 0 ? entries : entries.slice(0, end)
}

/** The first `limit` messages of what the streams have, in the order given. */
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

/** Each half as messages by partition: slices are made of them when their turn comes. */
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

export type Parsed<Message> = {
  deliveries: Delivery<Message>[]
  unreadable: Letter[]
  /** Messages of another incarnation: they have no effect. */
  undone: number
}

/**
 * Parses every message, once. What is none of ours is a dead letter; so is one that stands in a partition other than its
 * subject's: a second owner would decide about what the first has in hand.
 * @param incarnation that messages must be of. A dead letter that is driven again is taken as it was.
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
        deliveries.push({ partition, position, envelope, message: handler.parse(envelope) })
      } catch (error) {
        unreadable.push({ partition, position, fields: entry.fields, reason: reasonOf(error) })
      }
    }
  }
  return { deliveries, unreadable, undone }
}

/** The letters that poison makes, with the entries as they were read. */
export const lettersOf = (slices: Slice[], poison: Poison[]): Letter[] =>
  poison.map((it) => ({ ...it, fields: fieldsAt(slices, it) }))

/** Letters that were driven again and did not fail again. */
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

/** Why a message was set aside, for the person who reads the letter. */
export const reasonOf = (error: unknown): string =>
  (error instanceof Error ? `${error.name}: ${error.message}` : String(error)).slice(0, 2_000)

const fieldsAt = (slices: Slice[], at: Poison): Fields =>
  slices.find((it) => it.owned.partition === at.partition)?.entries.find((it) => it.position === at.position)
    ?.fields ?? []
