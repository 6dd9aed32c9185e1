/**
 * The calls of the system, each with a fixed name, because ids in a URL would make every request its own metric. The names are
 * used in thresholds, where commas, colons and braces have a meaning for k6.
 */
import { check, sleep } from 'k6'
import http, { type RefinedResponse } from 'k6/http'
import type { components as OfReservation } from '../../../openapi/reservation.ts'
import type { components as OfStock } from '../../../openapi/stock.ts'
import { queued, refused, reserved, timeToDecision, undecided } from './figures.ts'
import { settings } from './settings.ts'

export const names = {
  reserve: 'POST /reservations and wait',
  accept: 'POST /reservations',
  reservation: 'GET /reservations/ID',
  reservations: 'GET /reservations',
  cancel: 'PATCH /reservations/ID',
  books: 'GET /books',
  receive: 'POST /stocks',
  stock: 'GET /stocks/BOOKID',
  rules: 'PUT /stocks/BOOKID/rules',
  movements: 'GET /stocks/BOOKID/movements',
  tasks: 'GET /tasks',
  hold: 'PATCH /holds/ID',
  metrics: 'GET /metrics',
} as const
export type Name = (typeof names)[keyof typeof names]

export type Reservation = OfReservation['schemas']['Reservation']
export type Stock = OfStock['schemas']['Stock']

const waitS = 10
/** Longer than any requested wait. */
const timeout = '15s'

export type Answer = RefinedResponse<'text'>

const authorization: Record<string, string> =
  settings.token === undefined ? {} : { authorization: `Bearer ${settings.token}` }

export const paramsOf = (name: Name, headers = {}) => ({
  tags: { name },
  headers: { 'content-type': 'application/json', ...authorization, ...headers },
  timeout,
  responseType: 'text' as const,
})

export const call = (method: string, name: Name, url: string, body?: object, headers = {}): Answer =>
  http.request(method, url, body && JSON.stringify(body), paramsOf(name, headers))

export const jsonOf = <Body>(answer: Answer): Body => JSON.parse(answer.body) as Body

/** @returns the reservation, decided or not; undefined if it was not accepted. */
export function reserve(bookid: string, userid: string): Reservation | undefined {
  const url = `${settings.reservationUrl}/reservations`
  const answer = call('POST', names.reserve, url, { bookid, userid }, { prefer: `wait=${waitS}` })
  if (!check(answer, { accepted: ({ status }) => status === 201 })) return undefined
  const reservation = jsonOf<Reservation>(answer)
  if (reservation.status === 'Requested') undecided.add(1)
  else timeToDecision.add(answer.timings.duration)
  if (reservation.status === 'Reserved') reserved.add(1)
  if (reservation.status === 'Waiting') queued.add(1)
  if (reservation.status === 'Failed') refused.add(1)
  return reservation
}

/** Reserves without waiting for the decision. */
export function accept(bookid: string, userid: string): Reservation | undefined {
  const answer = call('POST', names.accept, `${settings.reservationUrl}/reservations`, { bookid, userid })
  return check(answer, { accepted: ({ status }) => status === 201 }) ? jsonOf(answer) : undefined
}

export function cancel(reservationid: string): Reservation | undefined {
  const url = `${settings.reservationUrl}/reservations/${reservationid}`
  const answer = call('PATCH', names.cancel, url, { status: 'Canceled' })
  return check(answer, { canceled: ({ status }) => status === 200 }) ? jsonOf(answer) : undefined
}

export function findReservation(reservationid: string): Reservation | undefined {
  const url = `${settings.reservationUrl}/reservations/${reservationid}`
  const answer = call('GET', names.reservation, url)
  return check(answer, { found: ({ status }) => status === 200 }) ? jsonOf(answer) : undefined
}

export type Page<Name extends string, Item> = {
  _embedded: { [K in Name]: Item[] }
  _links: { next?: { href: string } }
}

/** @returns how many of the book's reservations have this status; undefined if unknown, or more than `most`. */
export function countReservations(bookid: string, status: string, most: number): number | undefined {
  let found = 0
  const first = `/reservations?bookid=${encodeURIComponent(bookid)}&status=${status}&limit=200`
  for (let next: string | undefined = first; next; ) {
    const answer = call('GET', names.reservations, settings.reservationUrl + next)
    if (!check(answer, { listed: ({ status }) => status === 200 })) return undefined
    const page = jsonOf<Page<'reservations', Reservation>>(answer)
    found += page._embedded.reservations.length
    if (found > most) return undefined
    next = page._links.next?.href
  }
  return found
}

/** The list that a customer looks at before reserving. */
export function lookAtBooks(query = ''): boolean {
  const answer = call('GET', names.books, `${settings.reservationUrl}/books?limit=20${query}`)
  return check(answer, { 'books listed': ({ status }) => status === 200 })
}

const receiptsAtOnce = 50
/** How often receipts are sent while stock says that it is not available, a second apart. */
const receiptTries = 5

/** @throws when stock refuses the copies, because the run would be meaningless. */
export function receive(books: string[], qty: number): void {
  const run = `${Date.now()}-${Math.random()}`
  for (let from = 0; from < books.length; from += receiptsAtOnce) {
    let receipts = books.slice(from, from + receiptsAtOnce).map((bookid) => ({
      method: 'POST',
      url: `${settings.stockUrl}/stocks`,
      body: JSON.stringify({ bookid, qty, title: bookid }),
      params: paramsOf(names.receive, { 'idempotency-key': `${run}-${bookid}` }),
    }))
    for (let tries = 1; receipts.length > 0; tries++) {
      const answers = http.batch(receipts) as Answer[]
      const fault = answers.find(({ status }) => status !== 201 && (status !== 503 || tries === receiptTries))
      if (fault) throw new Error(`Cannot receive copies: ${fault.status} ${fault.body}`)
      receipts = receipts.filter((_, index) => answers[index]!.status !== 201)
      if (receipts.length > 0) sleep(1)
    }
  }
}

export function findStock(bookid: string): Stock | undefined {
  const answer = call('GET', names.stock, `${settings.stockUrl}/stocks/${encodeURIComponent(bookid)}`)
  return check(answer, { 'stock found': ({ status }) => status === 200 }) ? jsonOf(answer) : undefined
}

/** The metrics of a service, in Prometheus's format. */
export const readMetrics = (url: string): string => call('GET', names.metrics, `${url}/metrics`).body
