/** Consumer groups, as Redis reports them. A group has the name of the service that reads through it. */
import { streamKey, type Topic } from './partition.ts'
import type { RedisClient } from './redis.ts'

export type Group = {
  name: string
  /** Messages that are not committed; null while Redis cannot count them. */
  lag: number | null
  /** Entries read and not acknowledged. A worker leaves none (R3), so another client has read in the group's name. */
  pending: number
  /** The cursor. */
  position: string
}

/** @returns the groups of a stream; none if the stream does not exist. */
export async function groupsOf(redis: RedisClient, key: string): Promise<Group[]> {
  const reply = await redis.xinfo('GROUPS', key).catch(noneIfNoKey)
  return (reply as Field[][]).map((fields) => {
    const { name, lag, pending, 'last-delivered-id': position } = toRecord(fields)
    return {
      name: String(name),
      lag: lag === null ? null : Number(lag),
      pending: Number(pending),
      position: String(position),
    }
  })
}

/** @returns the group of one of the topic's consumers; undefined before the consumer first ran, or if Redis lost it. */
export async function groupOf<Read extends Topic>(
  redis: RedisClient,
  prefix: string,
  topic: Read,
  partition: number,
  consumer: Read['consumers'][number],
): Promise<Group | undefined> {
  const groups = await groupsOf(redis, streamKey(prefix, topic, partition))
  return groups.find((it) => it.name === consumer)
}

/**
 * @returns the position up to which a consumer has committed; undefined if that is unknown, because another client has moved
 *   the cursor beyond it.
 */
export const committedBy = (group: Group): string | undefined =>
  group.pending > 0 ? undefined : group.position

/** @returns the position of the last entry that was added to a stream; undefined if the stream is empty or does not exist. */
export async function endOf(redis: RedisClient, key: string): Promise<string | undefined> {
  const reply = await redis.xinfo('STREAM', key).catch(noneIfNoKey)
  const { length, 'last-generated-id': end } = toRecord(reply as Field[])
  return length ? String(end) : undefined
}

function noneIfNoKey(error: Error): [] {
  if (error.message.includes('no such key')) return []
  throw error
}

type Field = string | number | null

/** Field, value, field, value: as `XINFO` replies. */
function toRecord(reply: Field[]): Record<string, Field> {
  const record: Record<string, Field> = {}
  for (let i = 0; i + 1 < reply.length; i += 2) record[String(reply[i])] = reply[i + 1]!
  return record
}
