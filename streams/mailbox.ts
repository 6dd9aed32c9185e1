/**
 * Reading a partition through its consumer group, always from a named position.
 *
 * `XREADGROUP … >` moves the group's cursor when Redis runs it, not when the reply arrives; a reply that is lost takes
 * its entries along, and they would never come again. So every read sets the cursor to where it begins, and then back to
 * what is committed:
 *
 * R1. What a read returns depends on the position it names alone, never on reads before it.
 * R2. The offset in Postgres is the truth; the group shows it: its cursor, its lag, its owner's name.
 * R3. The cursor passes an entry after its effects are committed, and only then. So nothing is pending, nor to be
 *     acknowledged: what is read and not committed is part of the lag.
 * R4. An event is taken in right after the one before it, or not at all (`isNextEvent`).
 * R5. A stream that cannot be made to fit Postgres is deleted and begun anew.
 * R6. A consumer that has read what the owner then replaced, or that stays ahead of the end of its stream, goes back, for it
 *     may have taken in what was never logged. What it takes in twice has one effect.
 */
import type { Row } from './entry.ts'
import { mendingKey } from './mending.ts'
import type { RedisClient } from './redis.ts'

export type Cursor = {
  key: string
  group: string
  /** The reader's name, shown by `XINFO CONSUMERS`. */
  consumer: string
  /** What is committed. */
  position: string
  /** How many messages the partition had up to `position`; keeps the group's lag exact. */
  processed: number
}

/** Where a read begins: behind the cursor, if what is between is about to be committed. */
export type Reading = Cursor & { after: string }

/**
 * For each stream: reads, and sets the cursor, in one step that no other client can come between.
 * Asked in JSON: one string is read faster than the many that a question may have.
 */
const read = `
  local asked, replies = cjson.decode(ARGV[1]), {}
  local group, left = asked.group, asked.limit
  for i, key in ipairs(KEYS) do
    local at = asked.cursors[i]
    replies[i] = {}
    if left > 0 then
      redis.call('XGROUP', 'SETID', key, group, at.after)
      local reply =
        redis.call('XREADGROUP', 'GROUP', group, asked.consumer, 'COUNT', left, 'NOACK', 'STREAMS', key, '>')
      if reply then
        replies[i] = reply[1][2]
        left = left - #replies[i]
      end
    end
    redis.call('XGROUP', 'SETID', key, group, at.position, 'ENTRIESREAD', string.format('%d', at.processed))
  end
  return replies`

/**
 * Makes stream and group fit the committed offset, whatever Redis remembers:
 * - no group (first start, FLUSHALL, failover): it is created at the offset;
 * - a stream, or a group that is taken over, that ends before the offset (Redis lost its data, or the latest of it): the
 *   group is set to the offset; new ids start after it, since an entry below the offset would count as handled; and entries
 *   are counted from what is committed, since what Redis has counted it has lost too, and the lag would be wrong for ever;
 * - a group whose cursor stands elsewhere: it is set to the offset;
 * - entries that are awaited and gone, since somebody has deleted them: they are counted no more, or the lag would never
 *   end, and who waits for it would wait for ever;
 * - readers that are gone, and what somebody has read by hand: removed. The owner is named.
 * Only the owner of the topic raises ids and counts. Running it twice changes nothing.
 *
 * What cannot be made to fit is left as it is, and replied: it has to be deleted and begun anew. Redis is only transport:
 * whoever put something there that matters has it in Postgres, and sends or publishes it again.
 * - a key that is no stream, or a stream after whose last id none would come, once what stands before it is handled;
 * - a stream of which the group has seen more committed than is: Postgres has gone back, to a backup, say, and
 *   what stands in the stream is of a time that has not been.
 */
const align = `
  local key, asked = KEYS[1], cjson.decode(ARGV[1])
  local group, consumer, position = asked.group, asked.consumer, asked.position
  local processed = string.format('%d', asked.processed)
  local function record(reply)
    local it = {}
    for i = 1, #reply, 2 do it[reply[i]] = reply[i + 1] end
    return it
  end
  local function misfit()
    local reply = redis.pcall('XINFO', 'STREAM', key)
    if reply.err then return not string.find(reply.err, 'no such key') and 'the key held no stream' end
    local last = record(reply)['last-generated-id']
    local mine = { '(' .. position, '${Number.MAX_SAFE_INTEGER}', 'COUNT', 1 }
    if tonumber(string.match(last, '^%d+')) > ${Number.MAX_SAFE_INTEGER}
      and #redis.call('XRANGE', key, unpack(mine)) == 0 then return 'no id can follow ' .. last end
    for _, reply in ipairs(redis.call('XINFO', 'GROUPS', key)) do
      local it = record(reply)
      local known = it.name == group and tonumber(it['entries-read'] or 0) - it.pending
      if known and known > tonumber(processed) then
        return 'Redis has seen ' .. known .. ' entries committed, Postgres knows of ' .. processed
      end
    end
  end
  local fault = misfit()
  if fault then return { 0, fault, '0-0', '' } end
  local created = redis.pcall('XGROUP', 'CREATE', key, group, position, 'MKSTREAM', 'ENTRIESREAD', processed)
  if created.err and not string.find(created.err, 'BUSYGROUP') then return created end
  local function below(a, b)
    local aMs, aN = string.match(a, '(%d+)-(%d+)')
    local bMs, bN = string.match(b, '(%d+)-(%d+)')
    if aMs ~= bMs then return tonumber(aMs) < tonumber(bMs) end
    return tonumber(aN) < tonumber(bN)
  end
  local stream = record(redis.call('XINFO', 'STREAM', key))
  local last, lost = stream['last-generated-id'], not created.err
  for _, reply in ipairs(redis.call('XINFO', 'GROUPS', key)) do
    local it = record(reply)
    if asked.taking and it.name == group and below(it['last-delivered-id'], position) then lost = true end
  end
  if below(last, position) and asked.owner then last, lost = position, true end
  local nothingNew = #redis.call('XRANGE', key, '(' .. position, '+', 'COUNT', 1) == 0
  if nothingNew and stream['entries-added'] ~= tonumber(processed) then lost = true end
  redis.call('XGROUP', 'SETID', key, group, position, 'ENTRIESREAD', processed)
  if lost and asked.owner then
    local handled, from = 0, '-'
    repeat
      local page = redis.call('XRANGE', key, from, position, 'COUNT', 500)
      handled = handled + #page
      if #page > 0 then from = '(' .. page[#page][1] end
    until #page < 500
    local added = math.max(stream.length, processed + stream.length - handled)
    redis.call('XSETID', key, last, 'ENTRIESADDED', string.format('%d', added))
  end
  redis.call('XGROUP', 'CREATECONSUMER', key, group, consumer)
  for _, reader in ipairs(redis.call('XINFO', 'CONSUMERS', key, group)) do
    if reader[2] ~= consumer then redis.call('XGROUP', 'DELCONSUMER', key, group, reader[2]) end
  end
  return { created.err and 0 or 1, '', last, redis.call('GET', KEYS[2]) or '' }`

type Scripts = {
  streamsRead(keys: number, ...args: string[]): Promise<Row[][]>
  streamsAlign(
    key: string,
    mended: string,
    asked: string,
  ): Promise<[created: 0 | 1, misfit: string, end: string, mending: string]>
}

/** Teaches a client the scripts above. Once per client. */
export function defineMailboxScripts(redis: RedisClient): void {
  redis.defineCommand('streamsRead', { lua: read })
  redis.defineCommand('streamsAlign', { numberOfKeys: 2, lua: align })
}

/**
 * Reads several streams of one group: with one call, or in a cluster, where streams live apart, with one call each.
 * @param limit entries at most, in all. Streams named first are served first.
 * @returns for each stream the entries after its cursor, oldest first.
 * @throws {ReplyError} `NOGROUP` when Redis lost its data: `alignGroup` mends it.
 */
export async function readEntries(redis: RedisClient, readings: Reading[], limit: number): Promise<Row[][]> {
  if (readings.length === 0) return []
  if (redis.isCluster && readings.length > 1) {
    const share = Math.max(1, Math.floor(limit / readings.length))
    return (await Promise.all(readings.map((it) => readEntries(redis, [it], share)))).flat()
  }
  const { group, consumer } = readings[0]!
  const cursors = readings.map(({ after, position, processed }) => ({ after, position, processed }))
  const asked = JSON.stringify({ group, consumer, limit, cursors })
  const keys = readings.map((it) => it.key)
  return await (redis as unknown as Scripts).streamsRead(keys.length, ...keys, asked)
}

export type Alignment = {
  /** The group was not there. */
  created: boolean
  /** Why the stream cannot be made to fit; nothing was changed then. */
  misfit: string
  /** The id that the stream ends with. */
  end: string
  /** What the owner has noted when it last filled the stream again (`mending.ts`). */
  mending: string
}

export type AlignOptions = {
  /** Whether the group's service owns the topic, and may raise the stream's ids. */
  owner: boolean
  /** Whether the partition is being taken over. Else the cursor may be behind what was committed a moment ago. */
  taking: boolean
}

export async function alignGroup(
  redis: RedisClient,
  { key, ...cursor }: Cursor,
  options: AlignOptions,
): Promise<Alignment> {
  const asked = JSON.stringify({ ...cursor, ...options })
  const scripts = redis as unknown as Scripts
  const [created, misfit, end, mending] = await scripts.streamsAlign(key, mendingKey(key), asked)
  return { created: created === 1, misfit, end, mending }
}

export const isNoGroup = (error: unknown): boolean =>
  error instanceof Error &&
  (error.message.includes('NOGROUP') || error.message.includes('requires the key to exist'))
