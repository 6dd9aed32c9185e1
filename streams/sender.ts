/** Puts messages into mailboxes. What is accepted must be safe elsewhere: Redis may lose what it has acknowledged. */
import { type Envelope, toFields } from './envelope.ts'
import { partitionOf, streamKey, type Topic } from './partition.ts'
import type { RedisClient } from './redis.ts'

/** Sends under way at most. Beyond that Redis is not keeping up, and more would only fill our memory. */
const inFlightMax = 20_000

export type SenderOptions = { redis: RedisClient; prefix: string; topic: Topic; partitions: number }

export class Sender {
  readonly #redis: RedisClient
  readonly #keyOf: (subject: string) => string
  #inFlight = 0

  constructor({ redis, prefix, topic, partitions }: SenderOptions) {
    this.#redis = redis
    const keys = Array.from({ length: partitions }, (_, partition) => streamKey(prefix, topic, partition))
    this.#keyOf = (subject) => keys[partitionOf(subject, partitions)]!
  }

  /** @throws when Redis did not take the message in time. It may have taken it all the same. */
  async send(envelope: Envelope): Promise<void> {
    if (this.#inFlight >= inFlightMax) throw new Error(`Cannot send: ${inFlightMax} messages are under way`)
    this.#inFlight++
    try {
      await this.#redis.xadd(this.#keyOf(envelope.subject), '*', ...toFields(envelope))
    } finally {
      this.#inFlight--
    }
  }
}
