/** Detects that the client of a request has disconnected, so that its wait can end. */
import type { ServerResponse } from 'node:http'
import type { Context } from 'hono'
import type { Gone } from '../../streams/wakeup.ts'
import { outgoingOf } from './node.ts'

/**
 * The request's own signal would do the same. But on Node reading it creates an AbortController, and listening to it
 * costs more than listening to the response.
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
