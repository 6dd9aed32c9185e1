/**
 * Reading a partition through its consumer group, always from a named position.
 *
 * `XREADGROUP … >` moves the group's cursor when Redis runs it, not when the reply arrives; a reply that is lost takes
 * its entries along, and they would never come again. So every read first sets the cursor to where the reader stands:
 *
 * R1. What a read returns depends on the position it names alone, never on reads before it.
 * R2. The offset in Postgres is the truth; the group shows it: its lag, its pending entries, its owner's name.
 * R3. An entry is acknowledged after its effects are committed, and only then.
 * R4. An event is taken in right after the one before it, or not at all (`isNextEvent`).
 * R5. A stream that cannot be made to fit Postgres is deleted and begun anew.
 */
import type { Row } from './entry.ts'
import type { RedisClient } from './redis.ts'

export type Cursor = {
  key: string
  group: string
  /** The reader's name, shown by `XINFO CONSUMERS`. */
  consumer: string
  position: string
  /** How many messages the partition had up to `position`; keeps the group's lag exact. */
  processed: number
}

/** A cursor, and the committed entries before it that the group has not been told of yet. */
export type Reading = Cursor & { acks: string[] }
/** A reading of entries that are in hand already. */
export type Telling = Reading & { count: number }

/**
 * For each stream: acknowledges, sets the cursor and reads, in one step that no other client can come between.
 * Asked in JSON: one string is read faster than the hundreds that a question may have.
 */
const read = `
  local asked, replies = cjson.decode(ARGV[1]), {}
  local group, left = asked.group, asked.limit
  for i, key in ipairs(KEYS) do
    local at = asked.cursors[i]
    if #at.acks > 0 then redis.call('XACK', key, group, unpack(at.acks)) end
    redis.call('XGROUP', 'SETID', key, group, at.position, 'ENTRIESREAD', string.format('%d', at.processed))
    replies[i] = {}
    local count = at.count or left
    if count > 0 then
      local reply = redis.call('XREADGROUP', 'GROUP', group, asked.consumer, 'COUNT', count, 'STREAMS', key, '>')
      if reply then
        replies[i] = reply[1][2]
        left = left - #replies[i]
        -- Who names the count has the entries, and asks only where they end.
        if at.count then replies[i] = { { replies[i][#replies[i]][1], {} } } end
      end
    end
  end
  return replies`

/**
 * Makes stream and group fit the committed offset, whatever Redis remembers:
 * - no group (first start, FLUSHALL, failover): it is created at the offset;
 * - a group or a stream that ends before the offset (Redis lost its data, or the latest of it): the group is set to the
 *   offset; new ids start after it, since an entry below the offset would count as handled; and entries are counted
 *   from what is committed, since what Redis has counted it has lost too, and the lag would be wrong for ever;
 * - a group whose cursor is ahead, since a reader that is gone had entries in hand: the cursor goes back to the offset,
 *   or what that reader never committed would look delivered, and be trimmed;
 * - entries that are awaited and gone, since somebody has deleted them: they are counted no more, or the lag would never
 *   end, and who waits for it would wait for ever;
 * - entries still pending up to the offset, and readers that are gone: acknowledged and removed.
 * Only the owner of the topic raises ids and counts. Running it twice changes nothing.
 *
 * What cannot be made to fit is left as it is, and replied: it has to be deleted and begun anew. Redis is only transport:
 * whoever put something there that matters has it in Postgres, and sends or publishes it again.
 * - a key that is no stream, or a stream after whose last id none would come, once what stands before it is handled;
 * - a stream of which the group has acknowledged more than is committed: Postgres has gone back, to a backup, say, and
 *   what stands in the stream is of a time that has not been.
 */
const align = `
  local key, group, consumer, position, processed, owner = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
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
  if fault then return { 0, fault } end
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
    if it.name == group and below(it['last-delivered-id'], position) then lost = true end
  end
  if below(last, position) and owner == '1' then last, lost = position, true end
  local nothingNew = #redis.call('XRANGE', key, '(' .. position, '+', 'COUNT', 1) == 0
  if nothingNew and stream['entries-added'] ~= tonumber(processed) then lost = true end
  redis.call('XGROUP', 'SETID', key, group, position, 'ENTRIESREAD', processed)
  if lost then
    if owner == '1' then
      local handled, from = 0, '-'
      repeat
        local page = redis.call('XRANGE', key, from, position, 'COUNT', 500)
        handled = handled + #page
        if #page > 0 then from = '(' .. page[#page][1] end
      until #page < 500
      local added = math.max(stream.length, processed + stream.length - handled)
      redis.call('XSETID', key, last, 'ENTRIESADDED', string.format('%d', added))
    end
  end
  repeat
    local stale = redis.call('XPENDING', key, group, '-', position, 500)
    local ids = {}
    for i, entry in ipairs(stale) do ids[i] = entry[1] end
    if #ids > 0 then redis.call('XACK', key, group, unpack(ids)) end
  until #stale < 500
  for _, reader in ipairs(redis.call('XINFO', 'CONSUMERS', key, group)) do
    if reader[2] ~= consumer then redis.call('XGROUP', 'DELCONSUMER', key, group, reader[2]) end
  end
  return { created.err and 0 or 1, '' }`

type Scripts = {
  streamsRead(keys: number, ...args: string[]): Promise<Row[][]>
  streamsAlign(key: string, ...args: (string | number)[]): Promise<[created: 0 | 1, misfit: string]>
}

/** Teaches a client the scripts above. Once per client. */
export function defineMailboxScripts(redis: RedisClient): void {
  redis.defineCommand('streamsRead', { lua: read })
  redis.defineCommand('streamsAlign', { numberOfKeys: 1, lua: align })
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
  return await callRead(redis, readings, limit)
}

/**
 * Tells the group of entries that were read in another way, as if it had given them out.
 * @returns for each stream the position of the last of them, as the group sees it; undefined when it sees none.
 * @throws as `readEntries`.
 */
export async function tellGroup(redis: RedisClient, tellings: Telling[]): Promise<(string | undefined)[]> {
  if (tellings.length === 0) return []
  const calls = redis.isCluster ? tellings.map((it) => [it]) : [tellings]
  const found = await Promise.all(calls.map((call) => callRead(redis, call, 0)))
  return found.flat().map((rows) => rows[0]?.[0])
}

async function callRead(
  redis: RedisClient,
  readings: (Reading | Telling)[],
  limit: number,
): Promise<Row[][]> {
  const { group, consumer } = readings[0]!
  const cursors = readings.map((it) => ({ ...it, key: undefined, group: undefined, consumer: undefined }))
  const keys = readings.map((it) => it.key)
  const asked = JSON.stringify({ group, consumer, limit, cursors })
  return await (redis as unknown as Scripts).streamsRead(keys.length, ...keys, asked)
}

export type Alignment = {
  /** The group was not there. */
  created: boolean
  /** Why the stream cannot be made to fit; nothing was changed then. */
  misfit: string
}

/** @param owner whether the group's service owns the topic, and may raise the stream's ids. */
export async function alignGroup(redis: RedisClient, at: Cursor, owner: boolean): Promise<Alignment> {
  const { key, group, consumer, position, processed } = at
  const scripts = redis as unknown as Scripts
  const [created, misfit] = await scripts.streamsAlign(
    key,
    group,
    consumer,
    position,
    processed,
    owner ? 1 : 0,
  )
  return { created: created === 1, misfit }
}

export const isNoGroup = (error: unknown): boolean =>
  error instanceof Error &&
  (error.message.includes('NOGROUP') || error.message.includes('requires the key to exist'))
