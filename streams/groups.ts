/** What Redis tells of a stream and its consumer groups. */
import type { RedisClient } from './redis.ts'

/** The consumer groups of a stream; none of a stream that does not exist (yet, or any more). */
export async function groupsOf(redis: RedisClient, key: string): Promise<Record<string, string | number>[]> {
  const reply = await redis.xinfo('GROUPS', key).catch(noneIfNoKey)
  return (reply as (string | number)[][]).map(toRecord)
}

/** The position of the last entry that a stream was given; undefined of one that has no entries, or does not exist. */
export async function endOf(redis: RedisClient, key: string): Promise<string | undefined> {
  const reply = await redis.xinfo('STREAM', key).catch(noneIfNoKey)
  const { length, 'last-generated-id': end } = toRecord(reply as (string | number)[])
  return length ? String(end) : undefined
}

function noneIfNoKey(error: Error): [] {
  if (error.message.includes('no such key')) return []
  throw error
}

/** Field, value, field, value: as `XINFO` replies. */
function toRecord(reply: (string | number)[]): Record<string, string | number> {
  const record: Record<string, string | number> = {}
  for (let i = 0; i + 1 < reply.length; i += 2) record[String(reply[i])] = reply[i + 1]!
  return record
}
