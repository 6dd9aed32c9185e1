/**
 * What was asked and what was answered, in order, as JSON lines: each call when it begins and when it ends, and what was
 * done to the system meanwhile. An end is `ok`, `fail` (it had no effect) or `unknown` (it may have had one).
 */
import { createWriteStream, type WriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'

export type Kind = 'reserve' | 'repeat' | 'cancel' | 'receive' | 'order' | 'look' | 'list'
export type End = 'ok' | 'fail' | 'unknown'

/** One request on the wire. Status 0: no answer. */
export type Try = { at: number; tookMs: number; status: number }

export type Asked = {
  kind: Kind
  /** Its idempotency key. */
  key?: string
  bookid?: string
  userid?: string
  qty?: number
  purchaseid?: string
  reservationid?: string
  /** How long the answer may be held back for the decision. */
  waitS?: number
  /** The call that made the reservation, if this one is about it. */
  cause?: number
}

export type Call = Asked & {
  /** Its place in the history. */
  id: number
  /** Milliseconds since the epoch, as all times here. */
  invokedAt: number
  endedAt: number
  end: End | undefined
  status: number
  body: unknown
  tries: Try[]
  /** Those of insisting, when all is healed. */
  lateTries: Try[]
  /** What became of an unknown call when it was repeated after the load. */
  insisted: { status: number; body: unknown } | undefined
  /** How the answer broke the service's own OpenAPI document. */
  broken: string | undefined
}

export class History {
  readonly calls: Call[] = []
  readonly notes: { at: number; text: string }[] = []
  /** Times that a backup has undone; and until when streams still showed what was done then. */
  readonly undone: { from: number; to: number; shownUntil: number }[] = []
  readonly #file: WriteStream

  /** @param path of the file. */
  constructor(path: string) {
    this.#file = createWriteStream(path)
    this.#file.on('error', (error) => console.error(`The history is not kept: ${error.message}`))
  }

  invoke(asked: Asked): Call {
    const call: Call = {
      ...asked,
      id: this.calls.length,
      invokedAt: Date.now(),
      endedAt: Number.POSITIVE_INFINITY,
      end: undefined,
      status: 0,
      body: undefined,
      tries: [],
      lateTries: [],
      insisted: undefined,
      broken: undefined,
    }
    this.calls.push(call)
    this.#write({ type: 'invocation', id: call.id, at: call.invokedAt, ...asked })
    return call
  }

  end(call: Call, end: End, status: number, body: unknown): Call {
    Object.assign(call, { end, status, body, endedAt: Date.now() })
    this.#write({ type: end, id: call.id, at: call.endedAt, status, body, tries: call.tries })
    return call
  }

  insisted(call: Call, status: number, body: unknown): void {
    call.insisted = { status, body }
    this.#write({ type: 'insisted', id: call.id, at: Date.now(), status, body })
  }

  /** What was done in this time has had no effect: it was undone by a backup. Streams may have shown it for longer. */
  undo(from: number, to: number, shownUntil: number): void {
    this.undone.push({ from, to, shownUntil })
    this.note(`undone since ${new Date(from).toISOString()}`)
    for (const call of this.calls) {
      if (call.invokedAt < from || call.invokedAt > to) continue
      Object.assign(call, { end: 'fail', body: undefined, insisted: undefined })
    }
  }

  isUndone(at: number): boolean {
    return this.undone.some(({ from, to }) => at >= from && at <= to)
  }

  /** Whether a stream may show at this time what was undone. */
  mayShowUndone(at: number): boolean {
    return this.undone.some(({ from, shownUntil }) => at >= from && at <= shownUntil)
  }

  /** What happens to the system. */
  note(text: string): void {
    const at = Date.now()
    this.notes.push({ at, text })
    this.#write({ type: 'note', at, text })
  }

  async close(): Promise<void> {
    this.#file.end()
    await finished(this.#file).catch(() => {})
  }

  #write(line: object): void {
    this.#file.write(`${JSON.stringify(line)}\n`)
  }
}

/** The answer that a call had in the end, if it had a good one. */
export function answerOf<Body>(call: Call): Body | undefined {
  if (call.end === 'ok') return call.body as Body
  if (call.insisted && call.insisted.status < 300) return call.insisted.body as Body
  return undefined
}

/** Which call a request belongs to is written into its trace id, and so into the rows and messages that it causes. */
export const traceparentOf = (callId: number): string =>
  `00-fa0175${String(callId).padStart(26, '0')}-00000000000000fa-00`

/** @returns the call of a trace; undefined when it is none of ours. */
export function callIdOf(traceparent: string | null): number | undefined {
  const digits = traceparent?.match(/^00-fa0175(\d{26})-/)?.[1]
  return digits === undefined ? undefined : Number(digits)
}
