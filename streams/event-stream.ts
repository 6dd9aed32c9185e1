/**
 * The event stream of a partition in Redis: appending to it without a gap, and comparing it with the log (`event-log.ts`).
 * Both run as scripts, so that no other client can come between.
 */
import type { Row } from './entry.ts'
import { batchField } from './envelope.ts'
import type { RedisClient } from './redis.ts'

/**
 * For each stream: appends the entries that follow its last one, and returns the sequence of its last event, which is less
 * than that of the last entry given if there is a gap before the first. `floor` is the sequence up to which the stream was
 * trimmed. Returns -1 for a stream that has something else where one of the entries belongs.
 * Arguments for each key: the floor, the number of entries, and for each entry the sequences of its first and last event and
 * the batch. Events are counted as added, not entries, so that a group's lag is one of events too.
 */
const append = `
  local ends, at = {}, 1
  local function take() at = at + 1; return ARGV[at - 1] end
  local function same(a, b)
    local valid, x = pcall(cjson.decode, a)
    if not valid or type(x) ~= 'table' then return false end
    local y = cjson.decode(b)
    for i = 0, math.min(#x, #y) - 1 do
      if type(x[#x - i]) ~= 'table' or x[#x - i].id ~= y[#y - i].id then return false end
    end
    return #x > 0
  end
  for i, key in ipairs(KEYS) do
    local info, last, added, appended, differs = redis.pcall('XINFO', 'STREAM', key), 0, 0, 0, false
    local floor, entries = tonumber(take()), tonumber(take())
    if not info.err then
      for i = 1, #info, 2 do
        if info[i] == 'last-generated-id' then last = tonumber(string.match(info[i + 1], '^%d+')) end
        if info[i] == 'entries-added' then added = info[i + 1] end
      end
    end
    if last < floor then last = floor end
    for _ = 1, entries do
      local first, final, batch = tonumber(take()), tonumber(take()), take()
      if first == last + 1 then
        redis.call('XADD', key, string.format('%d-0', final), '${batchField}', batch)
        last, appended = final, appended + 1
      elseif final <= last then
        local id = string.format('%d-0', final)
        local there = redis.call('XRANGE', key, id, id)[1]
        differs = differs or (there and not same(there[2][2], batch))
      elseif first <= last then
        differs = true
      end
    end
    if appended > 0 and added + appended ~= last then
      redis.call('XSETID', key, string.format('%d-0', last), 'ENTRIESADDED', string.format('%d', last))
    end
    ends[i] = differs and -1 or last
  end
  return ends`

/**
 * Compares a stream with the log. The stream should have every event from the floor on, and may lack some at its end.
 * Replies with what is wrong, if anything; the sequence of its first event; the lowest offset, at most `floor`, from which a
 * consumer has yet to read; a name for its last entry; and that entry, unless the name is `seen`.
 */
const compare = `
  local key, floor, seq, consumers = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), cjson.decode(ARGV[3])
  local seen = ARGV[4]
  local function record(reply)
    local it = {}
    for i = 1, #reply, 2 do it[reply[i]] = reply[i + 1] end
    return it
  end
  local function sequence(id) return tonumber(string.match(id, '^(%d+)-0$')) end
  local reply = redis.pcall('XINFO', 'STREAM', key)
  if reply.err then
    return { string.find(reply.err, 'no such key') and '' or 'the key holds no stream', floor + 1, floor }
  end
  local stream, low = record(reply), floor
  for _, reply in ipairs(redis.call('XINFO', 'GROUPS', key)) do
    local it = record(reply)
    for _, name in ipairs(consumers) do
      if it.name == name then low = math.min(low, sequence(it['last-delivered-id']) or low) end
    end
  end
  local function fault(text) return { text, floor + 1, low } end
  local last, deleted = sequence(stream['last-generated-id']), stream['max-deleted-entry-id']
  if not last or last > seq then
    return fault('it ends with ' .. stream['last-generated-id'] .. ', the event log with ' .. seq)
  end
  if (sequence(deleted) or seq) > low then return fault('another client has deleted ' .. deleted) end
  local first, newest, name = last + 1, '', stream['last-generated-id'] .. ' ' .. stream['entries-added']
  if stream.length > 0 then
    local id, fields = unpack(stream['first-entry'])
    first = sequence(id)
    -- An entry holds the events up to the sequence that its id spells.
    local valid, events = pcall(cjson.decode, fields[2])
    if not first or not valid then return fault('another client has added ' .. id) end
    first = first - #events + 1
    if name ~= seen and stream['last-entry'] then newest = stream['last-entry'] end
  end
  return { first > floor + 1 and 'it begins too late' or '', first, low, name, newest }`

type Scripts = {
  streamsAppend(keys: number, ...args: (string | number)[]): Promise<number[]>
  streamsCompare(
    key: string,
    ...args: (string | number)[]
  ): Promise<[fault: string, first: number, low: number, name?: string, newest?: Row | '']>
}

/** Adds the scripts above to a client. Once per client. */
export function defineEventStreamScripts(redis: RedisClient): void {
  redis.defineCommand('streamsAppend', { lua: append })
  redis.defineCommand('streamsCompare', { numberOfKeys: 1, lua: compare })
}

/** Entries to append to a stream that was trimmed up to `floor`. `first` and `seq` are sequences, as in `EventBatch`. */
type Append = { key: string; floor: number; entries: { first: number; seq: number; batch: string }[] }

/** @returns for each stream the sequence of its last event, or -1 if it has something else where an entry belongs. */
export async function appendEntries(redis: RedisClient, appends: Append[]): Promise<number[]> {
  if (appends.length === 0) return []
  // In a cluster the streams are on different nodes, so each takes a call.
  if (redis.isCluster && appends.length > 1)
    return (await Promise.all(appends.map((it) => appendEntries(redis, [it])))).flat()
  const args = appends.flatMap(({ floor, entries }) => [
    floor,
    entries.length,
    ...entries.flatMap((it) => [it.first, it.seq, it.batch]),
  ])
  const keys = appends.map((it) => it.key)
  return await (redis as unknown as Scripts).streamsAppend(keys.length, ...keys, ...args)
}

export type Comparison = {
  /** Empty if nothing is wrong. */
  fault: string
  /** Sequence of the stream's first event. */
  first: number
  /** The lowest offset of the consumers, at most the floor. */
  low: number
  /** A name for the last entry; undefined if the stream does not exist, or is wrong. */
  name: string | undefined
  /** The last entry, unless it has been seen. */
  newest: Row | undefined
}

/** @param seen the name of the last entry that was found in the log. */
export async function compareStream(
  redis: RedisClient,
  key: string,
  log: { floor: number; seq: number; consumers: readonly string[]; seen: string },
): Promise<Comparison> {
  const consumers = JSON.stringify(log.consumers)
  const scripts = redis as unknown as Scripts
  const reply = await scripts.streamsCompare(key, log.floor, log.seq, consumers, log.seen)
  const [fault, first, low, name, newest] = reply
  return { fault, first, low, name, newest: newest || undefined }
}
