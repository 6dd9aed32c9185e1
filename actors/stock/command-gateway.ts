/**
 * Executes a command for an HTTP request: sends it to the book's mailbox and waits until its effects are committed. The
 * command's id belongs to the request's idempotency key, so a repeated request has one effect.
 */
import type { Context } from 'hono'
import { isGoneOf } from '../../platform/http/departure.ts'
import { claimKey, isClaimed, nameKeyToRepeatWith } from '../../platform/http/idempotency.ts'
import type { Places } from '../../platform/http/places.ts'
import { Unavailable } from '../../platform/http/problem.ts'
import { TimeLimit } from '../../platform/http/time-limit.ts'
import { traceOf } from '../../platform/http/trace.ts'
import { authOf } from '../../platform/identity/caller.ts'
import { uuidv7 } from '../../platform/uuid.ts'
import type { AuthContext, Envelope } from '../../streams/envelope.ts'
import type { Sql } from '../../streams/postgres.ts'
import type { Wakeup } from '../../streams/wakeup.ts'
import type { StockCommand } from '../messages.ts'

/** How long a request waits for the commit. Does not count toward the request's time limit. */
const commitWithinMs = 5_000

type CommandGatewayOptions = {
  sql: Sql
  /** Appends a command to its book's mailbox. @throws if Redis does not accept it. */
  send(envelope: Envelope): Promise<void>
  /** Announces the ids of commands that took effect. */
  wakeup: Wakeup<string>
  /** Limits the requests that wait at a time. */
  held: Places
  now(): Date
}

type Command = Extract<StockCommand, { commandid: string }>
type WithoutId<Its> = Its extends unknown ? Omit<Its, 'commandid'> : never
export type CommandWithoutId = WithoutId<Command>

export class CommandGateway {
  readonly #options: CommandGatewayOptions

  constructor(options: CommandGatewayOptions) {
    this.#options = options
  }

  /** Whether the request's idempotency key has been used in this scope. */
  async isRepeated(c: Context, scope: string): Promise<boolean> {
    const key = c.req.header('idempotency-key')
    return key !== undefined && (await isClaimed(this.#options.sql, scope, key))
  }

  /**
   * @param scope of the idempotency key.
   * @param payload that the key must always be used with.
   * @param commandFor builds the command with this id.
   * @returns the command's id, once the command has taken effect.
   * @throws {Unavailable} if the command does not take effect in time, or too many requests are waiting.
   */
  async execute(
    c: Context,
    scope: string,
    payload: unknown,
    commandFor: (id: string) => CommandWithoutId,
  ): Promise<string> {
    const { sql, send, wakeup, held, now } = this.#options
    using _ = held.take()
    const key = c.req.header('idempotency-key') ?? crypto.randomUUID()
    nameKeyToRepeatWith(c, key)
    const id = await claimKey(sql, { scope, key, payload, id: uuidv7(now().getTime()) })
    const limit = TimeLimit.of(c)
    limit.check()
    using handling = wakeup.next(id, commitWithinMs, isGoneOf(c))
    await send(
      this.#envelopeOf({ ...commandFor(id), commandid: id } as Command, traceOf(c), authOf(c)),
    ).catch((cause) => {
      throw new Unavailable('The command could not be sent.', { cause })
    })
    limit.pause()
    const handled = await handling.answer
    limit.resume()
    if (handled === undefined) throw new Unavailable('The command did not take effect in time.')
    return id
  }

  #envelopeOf(
    { type, bookid, ...data }: Command,
    traceparent: string | undefined,
    auth: AuthContext | undefined,
  ): Envelope {
    return {
      specversion: '1.0',
      id: data.commandid,
      source: '/stock/http',
      type,
      subject: bookid,
      time: this.#options.now().toISOString(),
      traceparent,
      ...auth,
      data: { bookid, ...data },
    }
  }
}
