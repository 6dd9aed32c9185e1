/** The calls of customers and the stock manager in the demo. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ServiceName } from '../../platform/config.ts'

export type Reservation = { reservationid: string; bookid: string; userid: string; status: string }
export type Stock = { qty: number; held: number }
export type Notice = { reservationid: string | null; userid: string | null }

type Page<Name extends string, Item> = {
  _embedded: Record<Name, Item[]>
  _links: { next?: { href: string } }
}

const pollMs = 200

export class People {
  readonly #urls: Record<ServiceName, string>
  readonly #signal: AbortSignal

  constructor(urls: Record<ServiceName, string>, signal: AbortSignal) {
    this.#urls = urls
    this.#signal = signal
  }

  /** The stock manager receives copies. */
  async receive(bookid: string, title: string, qty: number): Promise<void> {
    await this.#call('stock', '/stocks', { bookid, title, qty })
  }

  stockOf(bookid: string): Promise<Stock> {
    return this.#call('stock', `/stocks/${bookid}`)
  }

  /** @param waitS how long the answer may wait for the decision, in seconds. */
  reserve(bookid: string, userid: string, waitS = 0): Promise<Reservation> {
    return this.#call('reservation', '/reservations', { bookid, userid }, { prefer: `wait=${waitS}` })
  }

  reservationsOf(bookid: string): Promise<Reservation[]> {
    return this.#every('reservation', 'reservations', `/reservations?bookid=${bookid}&limit=200`)
  }

  /** All that are decided. */
  async outcomes(): Promise<Reservation[]> {
    const all = await this.#every<'reservations', Reservation>(
      'reservation',
      'reservations',
      '/reservations?limit=200',
    )
    return all.filter((it) => it.status !== 'Requested')
  }

  /** Customers' notices: the purchaser has some too. */
  async notices(): Promise<Notice[]> {
    const notices = await this.#every<'notices', Notice>('notifier', 'notices', '/notices?limit=200')
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

  async #every<Name extends string, Item>(service: ServiceName, name: Name, path: string): Promise<Item[]> {
    const items: Item[] = []
    for (let next: string | undefined = path; next; ) {
      const page: Page<Name, Item> = await this.#call(service, next)
      items.push(...page._embedded[name])
      next = page._links.next?.href
    }
    return items
  }

  async #call<Body>(
    service: ServiceName,
    path: string,
    json?: object,
    headers: Record<string, string> = {},
  ): Promise<Body> {
    const response = await fetch(new URL(path, this.#urls[service]), {
      ...(json && { method: 'POST', body: JSON.stringify(json) }),
      headers: { ...headers, ...(json && { 'content-type': 'application/json' }) },
      signal: this.#signal,
    })
    if (response.ok) return (await response.json()) as Body
    const method = json ? 'POST' : 'GET'
    throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`)
  }
}
