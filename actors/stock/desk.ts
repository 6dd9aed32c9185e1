/**
 * Carries a command out on behalf of an HTTP request: sends it to the book's actor and waits until it is committed.
 * The command's id is that of the request's idempotency key, so that a repeated request has one effect.
 */
import type { Context } from 'hono'
import type { Envelope } from '../../streams/envelope.ts'
import type { Sql } from '../../streams/postgres.ts'
import type { Wakeup } from '../../streams/wakeup.ts'
import { goneOf } from '../http/departure.ts'
import { claimKey, nameKeyToRepeatWith } from '../http/idempotency.ts'
import type { Places } from '../http/places.ts'
import { Unavailable } from '../http/problem.ts'
import { TimeLimit } from '../http/time-limit.ts'
import { traceOf } from '../http/trace.ts'
import type { StockCommand } from '../messages.ts'
import { uuidv7 } from '../uuid.ts'

/** How long a request waits for the actor, beside the time that any request has. */
const answerWithinMs = 5_000

export type DeskOptions = {
  sql: Sql
  /** Puts a command into its book's mailbox. @throws when Redis does not take it. */
  send(envelope: Envelope): Promise<void>
  /** Answers are ids of commands that have had their effect. */
  wakeup: Wakeup<string>
  /** For those who wait. */
  held: Places
  now(): Date
}

type Command = Extract<StockCommand, { commandid: string }>

export class Desk {
  readonly #options: DeskOptions

  constructor(options: DeskOptions) {
    this.#options = options
  }

  /**
   * @param scope of the idempotency key.
   * @param payload as the key was, or is now, used for.
   * @param commandFor makes the command of an id.
   * @returns the command's id, once it has had its effect.
   * @throws {Unavailable} when that is not known in time, or too many requests wait already.
   */
  async carryOut(
    c: Context,
    scope: string,
    payload: unknown,
    commandFor: (id: string) => Command,
  ): Promise<string> {
    const { sql, send, wakeup, held, now } = this.#options
    using _ = held.take()
    const key = c.req.header('idempotency-key') ?? crypto.randomUUID()
    nameKeyToRepeatWith(c, key)
    const id = await claimKey(sql, { scope, key, payload, id: uuidv7(now().getTime()) })
    const limit = TimeLimit.of(c)
    limit.check()
    using answer = wakeup.next(id, answerWithinMs, goneOf(c))
    await send(this.#envelopeOf(commandFor(id), traceOf(c))).catch((cause) => {
      throw new Unavailable('The message could not be sent.', { cause })
    })
    limit.pause()
    const handled = await answer
    limit.resume()
    if (handled === undefined) throw new Unavailable('The actor of this book did not answer in time.')
    return id
  }

  #envelopeOf({ type, bookid, ...data }: Command, traceparent: string | undefined): Envelope {
    return {
      specversion: '1.0',
      id: data.commandid,
      source: '/stock/http',
      type,
      subject: bookid,
      time: this.#options.now().toISOString(),
      traceparent,
      data: { bookid, ...data },
    }
  }
}
