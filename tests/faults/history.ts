/**
 * Requests and responses in order, as JSON lines: each call when it begins and when it ends, and the faults in
 * between. An end is `ok`, `fail` (no effect) or `unknown` (perhaps an effect).
 */
import { createWriteStream, type WriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'

export type Kind =
  | 'reserve'
  | 'repeat'
  | 'cancel'
  | 'receive'
  | 'order'
  | 'look'
  | 'list'
  | 'look at a hold'
  | 'change a hold'
  | 'withdraw'
  | 'decline'
  | 'set rules'
  | 'block'
  | 'unblock'

/** Calls of staff. Stock answers them once they are decided. */
export const staffKinds: ReadonlySet<Kind> = new Set([
  'receive',
  'order',
  'change a hold',
  'withdraw',
  'decline',
  'set rules',
])
export type End = 'ok' | 'fail' | 'unknown'

/** One request on the wire. Status 0: no response. */
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
  /** How long the request waits for the decision. */
  waitS?: number
  /** Further members of the body. */
  more?: Record<string, unknown>
  /** The call that made the reservation, if this one is about it. */
  cause?: number
}

export type Call = Asked & {
  /** Its index in the history. */
  id: number
  /** Milliseconds since the epoch, as all times here. */
  invokedAt: number
  endedAt: number
  end: End | undefined
  status: number
  body: unknown
  tries: Try[]
  /** Repeats after healing. */
  lateTries: Try[]
  /** The response to an unknown call when it was repeated after the load. */
  insisted: { status: number; body: unknown } | undefined
  /** How the response broke the service's OpenAPI document. */
  broken: string | undefined
}

export class History {
  readonly calls: Call[] = []
  readonly notes: { at: number; text: string }[] = []
  /** Times that a restore has undone, and until when streams may still have shown their events. */
  readonly undone: { from: number; to: number; shownUntil: number }[] = []
  readonly #file: WriteStream

  /** @param path of the file. */
  constructor(path: string) {
    this.#file = createWriteStream(path)
    this.#file.on('error', (error) => console.error(`Cannot write the history: ${error.message}`))
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

  /** Marks calls of this time as without effect, because a restore has undone them. Streams may show them for longer. */
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

  /** Whether a stream may show undone events at this time. */
  mayShowUndone(at: number): boolean {
    return this.undone.some(({ from, shownUntil }) => at >= from && at <= shownUntil)
  }

  /** Records an event of the campaign. */
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

/** The successful response of a call, if any. */
export function answerOf<Body>(call: Call): Body | undefined {
  if (call.end === 'ok') return call.body as Body
  if (call.insisted && call.insisted.status < 300) return call.insisted.body as Body
  return undefined
}

/** The trace id contains the id of the call, which so gets into the rows and messages that it causes. */
export const traceparentOf = (callId: number): string =>
  `00-fa0175${String(callId).padStart(26, '0')}-00000000000000fa-00`

/** @returns the call of a trace; undefined for another trace. */
export function callIdOf(traceparent: string | null): number | undefined {
  const digits = traceparent?.match(/^00-fa0175(\d{26})-/)?.[1]
  return digits === undefined ? undefined : Number(digits)
}
