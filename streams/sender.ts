/**
 * Sends messages to mailboxes. Redis may lose what it has acknowledged, so the sender must keep them in Postgres.
 *
 * Messages sent at the same moment share one call. In a cluster, where streams are on different nodes, each stream takes one.
 */
import { batchField, type Envelope, toBatch } from './envelope.ts'
import type { Incarnation } from './incarnation.ts'
import { partitionOf, streamKey, type Topic } from './partition.ts'
import type { RedisClient } from './redis.ts'

/** Messages under way at most. Beyond that Redis is too slow, and more would only fill the memory. */
const inFlightMax = 20_000
/** Messages per call at most, so that no call blocks Redis for long. */
const perCallMax = 500

/** Arguments for each message: the index of its key, and the entry. A stream that refuses its messages holds up no other. */
const add = `
  local fault
  for i = 1, #ARGV, 2 do
    local reply = redis.pcall('XADD', KEYS[tonumber(ARGV[i])], '*', '${batchField}', ARGV[i + 1])
    if type(reply) == 'table' and reply.err then fault = fault or reply end
  end
  return fault`

type Scripts = { streamsAdd(keys: number, ...args: (string | number)[]): Promise<unknown> }
type Message = { key: string; envelope: Envelope }

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
    this.#waiting.push({ key: this.#keyOf(envelope.subject), envelope })
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

  #calls(messages: Message[]): Message[][] {
    const groups = this.#redis.isCluster ? [...Map.groupBy(messages, (it) => it.key).values()] : [messages]
    return groups.flatMap((group) =>
      Array.from({ length: Math.ceil(group.length / perCallMax) }, (_, i) =>
        group.slice(i * perCallMax, (i + 1) * perCallMax),
      ),
    )
  }

  #stamped(envelope: Envelope): Envelope {
    const incarnation = this.#incarnation.stamp
    return incarnation === undefined ? envelope : { ...envelope, incarnation }
  }

  async #add(messages: Message[]): Promise<void> {
    const keys = [...new Set(messages.map((it) => it.key))]
    const numberOf = new Map(keys.map((key, i) => [key, i + 1]))
    const asked = messages.flatMap(({ key, envelope }) => [
      numberOf.get(key)!,
      toBatch([this.#stamped(envelope)]),
    ])
    await (this.#redis as unknown as Scripts).streamsAdd(keys.length, ...keys, ...asked)
  }
}
