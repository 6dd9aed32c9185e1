/** The workloads, which are the same for every target: reservations that are decided in the request or only accepted. */
import { demandOf, type Pattern } from './books.ts'
import { postRequest } from './closed-loop.ts'
import type { Answer } from './http-connection.ts'

export const workloadNames = ['hot', 'many', 'zipf', 'few', 'one', 'accept', 'echo'] as const
type WorkloadName = (typeof workloadNames)[number]

export type Status = 'Reserved' | 'Requested'

export type Timing = { seconds: number; warmupSeconds: number }

/** How a target is asked for a reservation, and how it answers. */
export type Requests = {
  /** The request for a reservation, which waits for the decision or not. Default: `POST /reservations`. */
  requestFor?(bookid: string, userid: string, wait: boolean): string
  /** Whether the reservation was made and has this status. Default: 201, and the status in the body. */
  says?(answer: Answer, status: Status): boolean
}

export type Workload = {
  name: string
  title: string
  clients: number
  /** The requested books, all in stock. */
  books: string[]
  /** The order of requests, repeated. */
  order: string[]
  /** The status that an answer must have to count. */
  status: Status
}

/** @param options clients and books of the workloads with many. */
export function createWorkload(
  name: WorkloadName,
  { clients, books }: { clients: number; books: number },
): Workload {
  const of = (pattern: Pattern, title: string, clients: number, status: Status = 'Reserved') => ({
    ...demandOf(pattern, books),
    ...{ name, title, clients, status },
  })
  switch (name) {
    case 'hot':
      return of('hot', `One hot book, ${clients} clients`, clients)
    case 'many':
      return of('even', `${books} books, ${clients} clients`, clients)
    case 'zipf':
      return of('zipf', `${books} books by Zipf's law, ${clients} clients`, clients)
    case 'few':
      return of('even', `${books} books, 16 clients`, 16)
    case 'one':
      return of('even', `${books} books, one client`, 1)
    case 'accept':
      return of('even', `${books} books, ${clients} clients, accepted only`, clients, 'Requested')
    case 'echo':
      return of('even', `A bare echo, ${clients} clients`, clients, 'Requested')
  }
}

export const reservationRequest = (bookid: string, userid: string, wait: boolean): string =>
  postRequest('localhost', '/reservations', { bookid, userid }, wait ? { prefer: 'wait=10' } : {})

export const saysCreated = (answer: Answer, status: Status): boolean =>
  answer.status === 201 && answer.body.includes(`"status":"${status}"`)

const customers = 1_000
/** A stride that is coprime to any number of requests, so that it visits all of them. */
const stride = 7_919

/** @returns a lookup of the next request of a client. All requests are built in advance. */
export function requestsOf(
  { books, order, status }: Workload,
  { requestFor = reservationRequest }: Requests,
): (client: number, count: number) => string {
  const one = (bookid: string, number: number) =>
    requestFor(bookid, `user-${number % customers}`, status === 'Reserved')
  // An order may be longer than the list of books: equal requests share one string.
  const ofBook = new Map(books.map((bookid, number) => [bookid, one(bookid, number)]))
  const length = Math.max(order.length, customers)
  const requests = Array.from({ length }, (_, number) =>
    order.length > books.length ? ofBook.get(order[number]!)! : one(order[number % order.length]!, number),
  )
  // Each client starts at its own place.
  return (client, count) => requests[(client * 131 + count * stride) % requests.length]!
}

export const wantedOf =
  ({ status }: Workload, { says = saysCreated }: Requests) =>
  (answer: Answer): boolean =>
    says(answer, status)
