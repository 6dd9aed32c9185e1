/**
 * Reading a partition through its consumer group, always from a named position.
 *
 * `XREADGROUP … >` moves the group's cursor when Redis runs it, not when the reply arrives. The entries of a lost reply would
 * never be read again. So every read sets the cursor to where it begins, and then back to what is committed:
 *
 * R1. A read returns the entries after the position that it names, whatever was read before.
 * R2. The offset in Postgres is the truth. The group shows it: its cursor, its lag, its owner's name.
 * R3. The cursor passes an entry only after its effects are committed. So nothing is pending or must be acknowledged, and
 *     what is read and not committed is part of the lag.
 * R4. An event is handled right after the one before it, or not at all (`isNextEvent`).
 * R5. A stream that cannot be made to fit Postgres is deleted and recreated.
 * R6. A consumer goes back when it has read what the owner then replaced, or stays ahead of the end of its stream, because it
 *     may have handled events that were never logged. Handling an event twice has one effect.
 * R7. Positions, the stream's count and the group's count are of messages, not of entries (`entry.ts`). Part of an entry can be
 *     committed: the entry is read again after a position within it, without what is committed.
 */
import type { Row } from './entry.ts'
import { countField } from './envelope.ts'
import { mendingKey } from './mending.ts'
import type { RedisClient } from './redis.ts'

export type Cursor = {
  key: string
  group: string
  /** The reader's name, shown by `XINFO CONSUMERS`. */
  consumer: string
  /** The offset. */
  position: string
  /** How many messages the partition had up to `position`; keeps the group's lag exact. */
  processed: number
}

/** A read begins behind the cursor if the entries between are about to be committed. */
export type Reading = Cursor & { after: string }

/**
 * Beside a mailbox, in the same slot of a cluster, while its owner reads entries of several messages. An owner of an older version
 * would set them aside, and does not renew the key. Scripts derive it from the stream's key, and may be refused it: users of Redis
 * have the right only once the installation is migrated.
 */
export const batchesKey = (streamKey: string): string => `${streamKey}:batches`
/** The owner renews it every second. */
const batchesForS = 3

/**
 * For each stream: reads and sets the cursor, in one step that no other client can come between.
 * The argument is JSON: one string is parsed faster than many arguments.
 */
const read = `
  local args, replies = cjson.decode(ARGV[1]), {}
  local group, left = args.group, args.limit
  for i, key in ipairs(KEYS) do
    local at = args.cursors[i]
    replies[i] = {}
    if left > 0 then
      redis.call('XGROUP', 'SETID', key, group, at.after)
      local reply =
        redis.call('XREADGROUP', 'GROUP', group, args.consumer, 'COUNT', left, 'NOACK', 'STREAMS', key, '>')
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
 * - No group (first start, FLUSHALL, failover): it is created at the offset.
 * - A stream, or a group that is taken over, ends before the offset, because Redis lost its data or the latest of it. The
 *   group is set to the offset. New ids start after it, since an entry below the offset would count as handled. Messages are
 *   counted from what is committed, since Redis lost its own count too, and the lag would stay wrong.
 * - The group's cursor is elsewhere: it is set to the offset.
 * - Entries were deleted by another client before they were read: they are no longer counted, or the lag would never reach 0.
 * - Readers that are gone, and what another client has read as the group, are removed. The owner's name is set.
 * Only the owner of the topic raises ids and counts. Running it twice changes nothing.
 *
 * A stream that cannot be made to fit is left as it is, and the reason is returned: it must be deleted and recreated. Redis is
 * only transport, so everything that matters is in Postgres, and is sent or published again.
 * - The key holds no stream, or no id can follow the last one, and everything before that is handled.
 * - The group has seen more messages committed than Postgres has: Postgres has gone back, to a backup for example, and the
 *   entries are of a time that was undone.
 */
const align = `
  local key, args = KEYS[1], cjson.decode(ARGV[1])
  local group, consumer, position = args.group, args.consumer, args.position
  local processed = string.format('%d', args.processed)
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
        return 'Redis has seen ' .. known .. ' messages committed, Postgres knows of ' .. processed
      end
    end
  end
  local fault = misfit()
  if fault then return { 0, fault, '0-0', '', 0 } end
  local created = redis.pcall('XGROUP', 'CREATE', key, group, position, 'MKSTREAM', 'ENTRIESREAD', processed)
  if created.err and not string.find(created.err, 'BUSYGROUP') then return created end
  local function below(a, b)
    local aMs, aN = string.match(a, '(%d+)-(%d+)')
    local bMs, bN = string.match(b, '(%d+)-(%d+)')
    if aMs ~= bMs then return tonumber(aMs) < tonumber(bMs) end
    return tonumber(aN) < tonumber(bN)
  end
  -- Part of the next entry may be committed.
  local function unread()
    local count, from = 0, position
    local ms, n = string.match(position, '(%d+)-(%d+)')
    repeat
      local page = redis.call('XRANGE', key, '(' .. from, '+', 'COUNT', 100)
      for _, entry in ipairs(page) do
        local id, fields = unpack(entry)
        local entryMs, last = string.match(id, '(%d+)-(%d+)')
        local messages = fields[3] == '${countField}' and tonumber(fields[4]) or 1
        count = count + (entryMs == ms and math.min(messages, last - n) or messages)
        from = id
      end
    until #page < 100
    return count
  end
  local stream = record(redis.call('XINFO', 'STREAM', key))
  local last, lost = stream['last-generated-id'], not created.err
  for _, reply in ipairs(redis.call('XINFO', 'GROUPS', key)) do
    local it = record(reply)
    if args.taking and it.name == group and below(it['last-delivered-id'], position) then lost = true end
  end
  if below(last, position) and args.owner then last, lost = position, true end
  local nothingNew = #redis.call('XRANGE', key, '(' .. position, '+', 'COUNT', 1) == 0
  if nothingNew and stream['entries-added'] ~= tonumber(processed) then lost = true end
  redis.call('XGROUP', 'SETID', key, group, position, 'ENTRIESREAD', processed)
  if lost and args.owner then
    local added = math.max(stream.length, processed + unread())
    redis.call('XSETID', key, last, 'ENTRIESADDED', string.format('%d', added))
  end
  if args.owner then redis.pcall('SET', key .. '${batchesKey('')}', '', 'EX', ${batchesForS}) end
  redis.call('XGROUP', 'CREATECONSUMER', key, group, consumer)
  for _, reader in ipairs(redis.call('XINFO', 'CONSUMERS', key, group)) do
    if reader[2] ~= consumer then redis.call('XGROUP', 'DELCONSUMER', key, group, reader[2]) end
  end
  local lag = 0
  for _, reply in ipairs(redis.call('XINFO', 'GROUPS', key)) do
    local it = record(reply)
    if it.name == group then lag = it.lag or 0 end
  end
  return { created.err and 0 or 1, '', last, redis.call('GET', KEYS[2]) or '', lag }`

type Scripts = {
  streamsRead(keys: number, ...args: string[]): Promise<Row[][]>
  streamsAlign(
    key: string,
    mended: string,
    args: string,
  ): Promise<[created: 0 | 1, misfit: string, end: string, mending: string, lag: number]>
}

/** Adds the scripts above to a client. Once per client. */
export function defineMailboxScripts(redis: RedisClient): void {
  redis.defineCommand('streamsRead', { lua: read })
  redis.defineCommand('streamsAlign', { numberOfKeys: 2, lua: align })
}

/**
 * Reads several streams of one group with one call. In a cluster, where streams are on different nodes, each takes a call.
 * @param limit entries in all. Streams named first are served first.
 * @returns for each stream the entries after its cursor, oldest first.
 * @throws {ReplyError} `NOGROUP` when Redis lost its data: `alignGroup` repairs it.
 */
export async function readEntries(redis: RedisClient, readings: Reading[], limit: number): Promise<Row[][]> {
  if (readings.length === 0) return []
  if (redis.isCluster && readings.length > 1) {
    const share = Math.max(1, Math.floor(limit / readings.length))
    return (await Promise.all(readings.map((it) => readEntries(redis, [it], share)))).flat()
  }
  const { group, consumer } = readings[0]!
  const cursors = readings.map(({ after, position, processed }) => ({ after, position, processed }))
  const args = JSON.stringify({ group, consumer, limit, cursors })
  const keys = readings.map((it) => it.key)
  return await (redis as unknown as Scripts).streamsRead(keys.length, ...keys, args)
}

export type Alignment = {
  /** Whether there was no group before. */
  created: boolean
  /** Why the stream cannot be made to fit, or empty. Nothing was changed then. */
  misfit: string
  /** The last id of the stream. */
  end: string
  /** The owner's note of its last refill (`mending.ts`), or empty. */
  mending: string
  /** Messages that are not committed; 0 while Redis cannot count them. */
  lag: number
}

type AlignOptions = {
  /** Whether the group's service owns the topic, and so may raise the stream's ids. */
  owner: boolean
  /** Whether the partition is being taken over. Otherwise the cursor may be behind a commit of a moment ago. */
  taking: boolean
}

export async function alignGroup(
  redis: RedisClient,
  { key, ...cursor }: Cursor,
  options: AlignOptions,
): Promise<Alignment> {
  const args = JSON.stringify({ ...cursor, ...options })
  const scripts = redis as unknown as Scripts
  const [created, misfit, end, mending, lag] = await scripts.streamsAlign(key, mendingKey(key), args)
  return { created: created === 1, misfit, end, mending, lag }
}

export const isNoGroup = (error: unknown): boolean =>
  error instanceof Error &&
  (error.message.includes('NOGROUP') || error.message.includes('requires the key to exist'))
