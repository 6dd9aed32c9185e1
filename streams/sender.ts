/**
 * Sends messages to mailboxes. Redis may lose what it has acknowledged, so the sender must keep them in Postgres.
 *
 * Messages sent at the same moment share one call, and those of one stream share entries. A single one needs no script. In a
 * cluster, where streams are on different nodes, each stream takes a call.
 */
import { batchField, countField, type Envelope, perEntryMax } from './envelope.ts'
import type { Incarnation } from './incarnation.ts'
import { batchesKey } from './mailbox.ts'
import { partitionOf, streamKey, type Topic } from './partition.ts'
import type { RedisClient } from './redis.ts'

/** Messages under way at most. Beyond that Redis is too slow, and more would only fill the memory. */
const inFlightMax = 20_000
/** Entries per call at most, so that no call blocks Redis for long. */
const perCallMax = 20

/**
 * A key for each entry: its stream. Arguments for each entry: the number of its messages, and the batch, a message per line.
 *
 * Each message of an entry has a position of its own, as if it had been added by itself (R7). If the stream's owner may not know
 * such entries, each message becomes an entry. A stream that refuses its messages holds up no other.
 */
const add = `
  local fault
  local function try(...)
    local reply = redis.pcall(...)
    if type(reply) ~= 'table' or not reply.err then return true end
    fault = fault or reply
  end
  local function inTurn(key, batch)
    for text in string.gmatch(batch, '{[^\\n]*') do try('XADD', key, '*', '${batchField}', '[' .. text .. ']') end
  end
  local function together(key, count, batch)
    local info, ms, n, added = redis.pcall('XINFO', 'STREAM', key), 0, 0, 0
    if not info.err then
      for i = 1, #info, 2 do
        if info[i] == 'last-generated-id' then ms, n = string.match(info[i + 1], '(%d+)-(%d+)') end
        if info[i] == 'entries-added' then added = info[i + 1] end
      end
    end
    ms, n = tonumber(ms), tonumber(n)
    if math.max(ms, n) >= ${Number.MAX_SAFE_INTEGER} - ${perEntryMax} then return inTurn(key, batch) end
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    if now > ms then ms, n = now, -1 end
    local id = string.format('%d-%d', ms, n + count)
    if try('XADD', key, id, '${batchField}', batch, '${countField}', count) then
      try('XSETID', key, id, 'ENTRIESADDED', string.format('%d', added + count))
    end
  end
  for i, key in ipairs(KEYS) do
    local count, batch = ARGV[2 * i - 1], ARGV[2 * i]
    local fits = count ~= '1' and redis.pcall('EXISTS', key .. '${batchesKey('')}') == 1
    if fits then together(key, count, batch) else inTurn(key, batch) end
  end
  return fault`

type Scripts = { streamsAdd(keys: number, ...args: (string | number)[]): Promise<unknown> }
type Message = { stream: string; envelope: Envelope }

/** The part of an incarnation that a sender needs. */
type Stamping = Pick<Incarnation, 'isCurrent' | 'stamp' | 'untilCurrent'>

type SenderOptions = {
  redis: RedisClient
  prefix: string
  topic: Topic
  partitions: number
  incarnation: Stamping
}

export class Sender {
  readonly #redis: RedisClient
  readonly #incarnation: Stamping
  readonly #keyOf: (subject: string) => string
  #waiting: Message[] = []
  #sending: Promise<void> | undefined
  #inFlight = 0

  constructor({ redis, prefix, topic, partitions, incarnation }: SenderOptions) {
    this.#redis = redis
    this.#incarnation = incarnation
    redis.defineCommand('streamsAdd', { lua: add })
    const keys = Array.from({ length: partitions }, (_, partition) => streamKey(prefix, topic, partition))
    this.#keyOf = (subject) => keys[partitionOf(subject, partitions)]!
  }

  /** @throws when Redis did not acknowledge the message in time, though it may have it; or when nothing may be sent. */
  send(envelope: Envelope): Promise<void> {
    if (this.#inFlight >= inFlightMax) {
      return Promise.reject(new Error(`Cannot send: ${inFlightMax} messages are under way`))
    }
    this.#inFlight++
    this.#waiting.push({ stream: this.#keyOf(envelope.subject), envelope })
    // All messages that are sent before the call share it, and its outcome.
    this.#sending ??= Promise.resolve().then(() => this.#flush())
    return this.#sending
  }

  async #flush(): Promise<void> {
    const messages = this.#waiting
    this.#waiting = []
    this.#sending = undefined
    try {
      if (!this.#incarnation.isCurrent) await this.#incarnation.untilCurrent()
      await Promise.all(this.#calls(messages).map((call) => this.#add(call)))
    } finally {
      this.#inFlight -= messages.length
    }
  }

  /** @returns for each call its entries, with the messages of each. */
  #calls(messages: Message[]): Message[][][] {
    const streams = [...Map.groupBy(messages, (it) => it.stream).values()].map((its) =>
      inParts(its, perEntryMax),
    )
    return (this.#redis.isCluster ? streams : [streams.flat()]).flatMap((entries) =>
      inParts(entries, perCallMax),
    )
  }

  async #add(entries: Message[][]): Promise<void> {
    if (entries.length === 1 && entries[0]!.length === 1) {
      const only = entries[0]![0]!
      await this.#redis.xadd(only.stream, '*', batchField, `[${this.#textOf(only)}]`)
      return
    }
    const keys = entries.map(([first]) => first!.stream)
    const args = entries.flatMap((its) => [its.length, this.#batchOf(its)])
    await (this.#redis as unknown as Scripts).streamsAdd(keys.length, ...keys, ...args)
  }

  /** The text of a message has no line feed. */
  #batchOf(messages: Message[]): string {
    return `[${messages.map((it) => this.#textOf(it)).join('\n,')}\n]`
  }

  #textOf({ envelope }: Message): string {
    const incarnation = this.#incarnation.stamp
    return JSON.stringify(incarnation === undefined ? envelope : { ...envelope, incarnation })
  }
}

const inParts = <Item>(items: Item[], size: number): Item[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size))
