/** A foreign producer of commands, which knows only the stream's name, the partition rule and CloudEvents. */
import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { type StockCommand, topics } from '../../actors/messages.ts'
import { type Envelope, fromFields, toFields } from '../../streams/envelope.ts'
import { streamKey } from '../../streams/partition.ts'
import { partitionOfBook } from './owner.ts'
import type { System } from './system.ts'

/** A command as the fields of an entry. */
export const fieldsOf = ({ type, ...data }: StockCommand): string[] =>
  toFields([
    {
      specversion: '1.0',
      id: randomUUID(),
      source: '/tests',
      type,
      subject: data.bookid,
      time: new Date().toISOString(),
      data,
    },
  ])

export class Producer implements AsyncDisposable {
  readonly redis: Redis
  readonly #system: System

  constructor(system: System) {
    this.#system = system
    this.redis = new Redis(system.redisUrl)
  }

  /** Appends the commands to their books' mailboxes, in order. @returns their entry ids. */
  async send(...commands: StockCommand[]): Promise<string[]> {
    const pipeline = this.redis.pipeline()
    for (const command of commands) pipeline.xadd(this.mailboxOf(command.bookid), '*', ...fieldsOf(command))
    const results = await pipeline.exec()
    return results!.map(([error, id]) => {
      if (error) throw error
      return id as string
    })
  }

  /** The messages that a stream holds. */
  async messages(key: string): Promise<Envelope[]> {
    const entries = await this.redis.xrange(key, '-', '+')
    return entries.flatMap(([, fields]) => fromFields(fields) as Envelope[])
  }

  mailboxOf(bookid: string): string {
    return streamKey(this.#system.redisPrefix, topics.stockMailbox, partitionOfBook(this.#system, bookid))
  }

  eventsOf(bookid: string): string {
    return streamKey(this.#system.redisPrefix, topics.stockEvents, partitionOfBook(this.#system, bookid))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.redis.quit().catch(() => this.redis.disconnect())
  }
}
