/** What is asked, of every target alike: reservations, decided within the request or only accepted. */
import { demandOf, type Pattern } from './books.ts'
import type { Answer } from './http-connection.ts'
import { askForReservation, type Status, saysCreated, type Target } from './target.ts'

export const workloadNames = ['hot', 'many', 'zipf', 'few', 'one', 'accept', 'echo'] as const
export type WorkloadName = (typeof workloadNames)[number]

export type Workload = {
  name: string
  title: string
  clients: number
  /** Those that are asked for, all in stock. */
  books: string[]
  /** In this order, over and over. */
  order: string[]
  /** What an answer must say to count. */
  status: Status
}

/** @param options clients and books of the workloads that have many. */
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

const customers = 1_000
/** Prime to any number of requests there is: a stride that visits all of them. */
const stride = 7_919

/** @returns the next request of a client, written beforehand: what is left to do is to look it up. */
export function requestsOf(
  { books, order, status }: Workload,
  { ask = askForReservation }: Target,
): (client: number, count: number) => string {
  const one = (bookid: string, number: number) =>
    ask(bookid, `user-${number % customers}`, status === 'Reserved')
  // Of an order longer than the books, as many requests as books: strings are shared.
  const ofBook = new Map(books.map((bookid, number) => [bookid, one(bookid, number)]))
  const length = Math.max(order.length, customers)
  const requests = Array.from({ length }, (_, number) =>
    order.length > books.length ? ofBook.get(order[number]!)! : one(order[number % order.length]!, number),
  )
  // Each client from a place of its own.
  return (client, count) => requests[(client * 131 + count * stride) % requests.length]!
}

export const wantedOf =
  ({ status }: Workload, { says = saysCreated }: Target) =>
  (answer: Answer): boolean =>
    says(answer, status)
