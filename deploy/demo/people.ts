/** The calls of customers and the stock manager in the demo. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { components as notifier } from '../../openapi/notifier.ts'
import type { components as reservation } from '../../openapi/reservation.ts'
import type { components as stock } from '../../openapi/stock.ts'
import type { ServiceName } from '../../platform/config.ts'
import { call, callEvery } from '../local/call.ts'

export type Reservation = reservation['schemas']['Reservation']
export type Stock = stock['schemas']['Stock']
export type Notice = notifier['schemas']['Notice']

const pollMs = 200

export class People {
  readonly #urls: Record<ServiceName, string>
  readonly #signal: AbortSignal

  constructor(urls: Record<ServiceName, string>, signal: AbortSignal) {
    this.#urls = urls
    this.#signal = signal
  }

  /** The stock manager receives copies. */
  receive(bookid: string, title: string, qty: number): Promise<Stock> {
    return call(`${this.#urls.stock}/stocks`, { json: { bookid, title, qty }, signal: this.#signal })
  }

  stockOf(bookid: string): Promise<Stock> {
    return call(`${this.#urls.stock}/stocks/${bookid}`, { signal: this.#signal })
  }

  /** @param waitS how long the answer may wait for the decision, in seconds. */
  reserve(bookid: string, userid: string, waitS = 0): Promise<Reservation> {
    const headers = { prefer: `wait=${waitS}` }
    const json = { bookid, userid }
    return call(`${this.#urls.reservation}/reservations`, { json, headers, signal: this.#signal })
  }

  reservationsOf(bookid: string): Promise<Reservation[]> {
    return callEvery(this.#urls.reservation, `reservations?bookid=${bookid}`, { signal: this.#signal })
  }

  /** All that are decided. */
  async outcomes(): Promise<Reservation[]> {
    const signal = this.#signal
    const all = await callEvery<Reservation>(this.#urls.reservation, 'reservations', { signal })
    return all.filter((it) => it.status !== 'Requested')
  }

  /** Customers' notices: the purchaser has some too. */
  async notices(): Promise<Notice[]> {
    const notices = await callEvery<Notice>(this.#urls.notifier, 'notices', { signal: this.#signal })
    return notices.filter((it) => it.userid !== null)
  }

  /** Reads until `enough`, or until the time is up. @returns what was read last. */
  async until<It>(read: () => Promise<It>, enough: (it: It) => boolean, maxMs: number): Promise<It> {
    for (const deadline = performance.now() + maxMs; ; ) {
      const it = await read()
      if (enough(it) || performance.now() > deadline) return it
      await sleep(pollMs, undefined, { signal: this.#signal })
    }
  }
}
