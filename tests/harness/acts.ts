/** The actions of customers and staff, one function each. */
import { expect } from 'vitest'
import { eventually } from '../doubles/eventually.ts'
import type { Ask, Client } from './client.ts'
import type { System } from './system.ts'

export type Status = 'Requested' | 'Reserved' | 'Failed' | 'Canceled'
export type Reservation = {
  reservationid: string
  bookid: string
  userid: string
  status: Status
  reason?: string | null
  _links: { self: { href: string } }
}
export type Stock = {
  bookid: string
  title: string
  qty: number
  held: number
  rules?: unknown
  version: number
}
export type Book = Stock
export type Notice = {
  noticeid: string
  kind: string
  channel: string
  userid: string | null
  bookid: string
  reservationid: string | null
  status: string
  attempts: number
}
/** A system by its HTTP APIs, whether or not the test runs its processes. */
export type Faces = Pick<System, 'reservation' | 'stock' | 'notifier'>
type Collection<Item> = { _embedded: Record<string, Item[]>; _links: { next?: { href: string } } }

export const waitFor = (seconds: number) => ({ prefer: `wait=${seconds}` })

/** Receives copies, once. On a busy machine the service may answer 503 first; then the request is repeated with its key. */
export function receive(system: Faces, bookid: string, qty: number): Promise<Stock> {
  const headers = { 'idempotency-key': crypto.randomUUID() }
  let refused: string | undefined
  return eventually(
    async () => {
      const answer = await system.stock.post<Stock>('/stocks', { bookid, qty }, { headers })
      if (answer.status !== 201 && answer.status !== 503)
        refused = `answered ${answer.status} ${JSON.stringify(answer.body)}`
      return answer.status === 201 && answer.body
    },
    { message: `${qty} copies of ${bookid} were not received`, hopeless: () => refused },
  )
}

/** Reserves a copy, and expects that it is accepted. */
export async function reserve(
  client: Client,
  bookid: string,
  userid: string,
  ask?: Ask,
): Promise<Reservation> {
  const answer = await client.post<Reservation>('/reservations', { bookid, userid }, ask)
  expect(answer.status, JSON.stringify(answer.body)).toBe(201)
  return answer.body
}

/** Reserves a copy and waits for the decision. */
export async function reserveAndWait(client: Client, bookid: string, userid: string): Promise<Reservation> {
  const reservation = await reserve(client, bookid, userid, { headers: waitFor(20) })
  expect(reservation.status).not.toBe('Requested')
  return reservation
}

/**
 * Reserves a copy like a careful client: whatever happens to the response, the request is repeated with its key until
 * it is accepted. While a dependency fails, only 201 and 503 are allowed.
 */
export function reserveUntilAccepted(
  client: Client,
  bookid: string,
  userid: string,
  key: string,
  timeoutMs = 30_000,
): Promise<Reservation> {
  let refused: string | undefined
  return eventually(
    async () => {
      const headers = { 'idempotency-key': key }
      const answer = await client.post<Reservation>('/reservations', { bookid, userid }, { headers })
      if (answer.status !== 201 && answer.status !== 503) refused = `answered ${answer.status}`
      return answer.status === 201 && answer.body
    },
    { timeoutMs, message: `The reservation ${key} was never accepted`, hopeless: () => refused },
  )
}

export async function cancel(client: Client, reservationid: string): Promise<Reservation> {
  const answer = await client.patch<Reservation>(`/reservations/${reservationid}`, { status: 'Canceled' })
  expect(answer.status, JSON.stringify(answer.body)).toBe(200)
  return answer.body
}

export async function stockOf(system: Faces, bookid: string): Promise<Stock> {
  const answer = await system.stock.get<Stock>(`/stocks/${encodeURIComponent(bookid)}`)
  expect(answer.status).toBe(200)
  return answer.body
}

export async function reservationOf(client: Client, reservationid: string): Promise<Reservation> {
  const answer = await client.get<Reservation>(`/reservations/${reservationid}`)
  expect(answer.status).toBe(200)
  return answer.body
}

/** Waits until the reservation is decided. */
export const decided = (client: Client, reservationid: string, timeoutMs = 10_000): Promise<Reservation> =>
  eventually(
    async () => {
      const reservation = await reservationOf(client, reservationid)
      return reservation.status === 'Requested' ? undefined : reservation
    },
    { timeoutMs, message: `Reservation ${reservationid} was never decided` },
  )

/** Waits until no reservation is undecided. */
export const allDecided = (system: Faces, timeoutMs = 30_000): Promise<true> =>
  eventually(
    async () => {
      const { body } = await system.reservation.get<Collection<Reservation>>(
        '/reservations?status=Requested&limit=1',
      )
      return body._embedded.reservations!.length === 0
    },
    { timeoutMs, message: 'Some reservations were never decided' },
  )

/** Every item of a collection, following its `next` links. */
export async function every<Item>(client: Client, name: string, path: string): Promise<Item[]> {
  const items: Item[] = []
  for (let next: string | undefined = path; next; ) {
    const body: Collection<Item> = await list(client, next)
    items.push(...body._embedded[name]!)
    next = body._links.next && toPath(body._links.next.href)
  }
  return items
}

/** A list times out after a second (`platform/http/reads.ts`), so on a busy machine it is requested again. */
async function list<Item>(client: Client, path: string): Promise<Collection<Item>> {
  const { status, body } = await eventually(async () => {
    const answer = await client.get<Collection<Item>>(path)
    return answer.status === 503 ? undefined : answer
  })
  expect(status, JSON.stringify(body)).toBe(200)
  return body
}
const toPath = (href: string) => {
  const url = new URL(href, 'http://any')
  return url.pathname + url.search
}

export const everyReservation = (system: Faces, query = ''): Promise<Reservation[]> =>
  every(system.reservation, 'reservations', `/reservations?limit=200${query}`)
export const everyStock = (system: Faces): Promise<Stock[]> =>
  every(system.stock, 'stocks', '/stocks?limit=200')
export const everyBook = (system: Faces): Promise<Book[]> =>
  every(system.reservation, 'books', '/books?limit=200')
export const everyNotice = (system: Faces, query = ''): Promise<Notice[]> =>
  every(system.notifier, 'notices', `/notices?limit=200${query}`)

export const count = <Item>(items: Item[], test: (item: Item) => boolean): number => items.filter(test).length
