/** Notices that the client of a request has gone away, so that nobody waits on its behalf any longer. */
import type { ServerResponse } from 'node:http'
import type { Context } from 'hono'
import type { Gone } from '../../streams/wakeup.ts'
import { outgoingOf } from './node.ts'

/**
 * The signal of the request would do. On Node an AbortController is made for it, once it is asked for, and listening to
 * that costs more than to the response itself.
 */
export function goneOf(c: Context): Gone {
  const outgoing = outgoingOf(c)
  return outgoing ? new Closed(outgoing) : c.req.raw.signal
}

class Closed implements Gone {
  readonly #outgoing: ServerResponse

  constructor(outgoing: ServerResponse) {
    this.#outgoing = outgoing
  }

  get aborted(): boolean {
    return this.#outgoing.closed
  }

  addEventListener(_: 'abort', listener: () => void): void {
    this.#outgoing.on('close', listener)
  }

  removeEventListener(_: 'abort', listener: () => void): void {
    this.#outgoing.off('close', listener)
  }
}
