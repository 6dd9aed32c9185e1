/**
 * Requests of careful clients: with a key where possible, repeated when there is no response, and recorded. The
 * outcome is unknown if there is no response, or one that leaves the effect open.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ServiceName } from '../../platform/config.ts'
import { inParallel } from '../doubles/eventually.ts'
import type { Answer, Ask, Client } from '../harness/client.ts'
import { type Asked, type Call, type End, type History, type Try, traceparentOf } from './history.ts'
import type { Random } from './random.ts'
import type { World } from './world.ts'

/** A slower response counts as hanging. */
export const hangsAfterMs = 10_000
const againAfterMs = [100, 300] as const
const insistWidth = 8
const insistLimitMs = 25_000

type Wire = {
  service: ServiceName
  method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
  path: string
  json?: unknown
}

export class Requests {
  readonly #world: World
  readonly #history: History
  readonly #random: Random

  constructor(world: World, history: History, random: Random) {
    this.#world = world
    this.#history = history
    this.#random = random
  }

  /**
   * Makes a call, and repeats it once if its outcome is unknown and repeating is safe.
   * @param first client for the first attempt; by default the next in turn.
   */
  async make(asked: Asked, first?: Client): Promise<Call> {
    const call = this.#history.invoke(asked)
    let answer = await this.#try(call, call.tries, first)
    if (answer.end === 'unknown' && isRepeatable(call)) {
      await sleep(this.#random.between(...againAfterMs))
      answer = await this.#try(call, call.tries)
    }
    return this.#history.end(call, answer.end, answer.status, answer.body)
  }

  /** Repeats calls with unknown outcome until it is known. @returns those that stay unknown. */
  async insist(calls: Call[]): Promise<Call[]> {
    const deadline = Date.now() + insistLimitMs
    const open = calls.filter((call) => call.end === 'unknown' && !call.insisted && isRepeatable(call))
    await inParallel(open, insistWidth, async (call) => {
      while (Date.now() < deadline) {
        const { end, status, body } = await this.#try(call, call.lateTries)
        if (end !== 'unknown') return this.#history.insisted(call, status, body)
        await sleep(againAfterMs[1])
      }
    })
    return open.filter((call) => call.insisted === undefined)
  }

  async #try(
    call: Call,
    tries: Try[],
    client?: Client,
  ): Promise<{ end: End; status: number; body: unknown }> {
    const { service, method, path, json } = wireOf(call)
    const token = (await this.#world.callers?.headersOf(call)) ?? {}
    const at = Date.now()
    const started = performance.now()
    try {
      const answer = await (client ?? this.#world.next(service)).ask(method, path, {
        json,
        ...askOf(call, token),
      })
      tries.push({ at, tookMs: performance.now() - started, status: answer.status })
      return { end: endOf(answer), status: answer.status, body: answer.body }
    } catch (error) {
      tries.push({ at, tookMs: performance.now() - started, status: 0 })
      if (!isLost(error)) call.broken = (error as Error).message
      return { end: 'unknown', status: 0, body: (error as Error).message }
    }
  }
}

function wireOf(call: Call): Wire {
  const { kind, bookid, userid, qty, purchaseid, reservationid, more } = call
  switch (kind) {
    case 'reserve':
    case 'repeat':
      return {
        service: 'reservation',
        method: 'POST',
        path: '/reservations',
        json: { bookid, userid, ...more },
      }
    case 'cancel':
      return {
        service: 'reservation',
        method: 'PATCH',
        path: `/reservations/${reservationid}`,
        json: { status: 'Canceled', ...more },
      }
    case 'receive':
      return { service: 'stock', method: 'POST', path: '/stocks', json: { bookid, qty, purchaseid } }
    case 'order':
      return { service: 'stock', method: 'POST', path: '/purchases', json: { bookid, qty } }
    case 'look':
      return { service: 'reservation', method: 'GET', path: `/reservations/${reservationid}` }
    case 'list':
      return { service: 'reservation', method: 'GET', path: '/books?limit=200' }
    case 'look at a hold':
      return { service: 'stock', method: 'GET', path: `/holds/${reservationid}` }
    case 'change a hold':
      return { service: 'stock', method: 'PATCH', path: `/holds/${reservationid}`, json: more }
    case 'withdraw':
      return { service: 'stock', method: 'POST', path: '/withdrawals', json: { bookid, qty, ...more } }
    case 'decline':
      return { service: 'stock', method: 'POST', path: `/purchase-requests/${bookid}/decline`, json: {} }
    case 'set rules':
      return { service: 'stock', method: 'PUT', path: `/stocks/${bookid}/rules`, json: more }
    case 'block':
      return { service: 'reservation', method: 'PUT', path: `/standings/${userid}/block`, json: more }
    case 'unblock':
      return { service: 'reservation', method: 'DELETE', path: `/standings/${userid}/block` }
  }
}

function askOf({ id, cause = id, key, waitS = 0 }: Call, token: Record<string, string>): Ask {
  const headers = {
    ...token,
    traceparent: traceparentOf(cause),
    ...(key ? { 'idempotency-key': key } : {}),
    ...(waitS > 0 ? { prefer: `wait=${waitS}` } : {}),
  }
  return { headers, timeoutMs: hangsAfterMs + waitS * 1_000 }
}

const endOf = ({ status }: Answer<unknown>): End => (status < 300 ? 'ok' : status < 500 ? 'fail' : 'unknown')

const idempotent: ReadonlySet<Call['kind']> = new Set(['cancel', 'block', 'unblock'])

/** Whether making the call twice has one effect. */
const isRepeatable = ({ kind, key }: Call) => idempotent.has(kind) || (key !== undefined && kind !== 'repeat')

/** The connection broke or timed out, so there is no response to blame. */
function isLost(error: unknown): boolean {
  const { name, message } = error as Error
  return (
    name === 'TimeoutError' ||
    name === 'AbortError' ||
    (name === 'TypeError' && /fetch failed|terminated/.test(message))
  )
}
