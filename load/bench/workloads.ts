/** What is asked, of baseline and product alike: `POST /reservations`, decided within the request. */
import { postRequest } from './closed-loop.ts'

export const workloadNames = ['hot', 'many', 'one', 'echo'] as const
export type WorkloadName = (typeof workloadNames)[number]

export type Workload = {
  name: WorkloadName
  title: string
  clients: number
  /** The books that are asked for, all in stock. */
  books: string[]
  request(client: number, count: number): string
}

/** More copies than any run can ask for, of each book. */
export const copiesPerBook = 1_000_000_000

const customers = 1_000

/** @param options clients and books of the workloads that have many. */
export function createWorkload(
  name: WorkloadName,
  { clients, books }: { clients: number; books: number },
): Workload {
  const many = Array.from({ length: books }, (_, number) => `book-${number}`)
  switch (name) {
    case 'hot':
      return workload(name, `One hot book, ${clients} clients`, clients, ['hot'])
    case 'many':
      return workload(name, `${books} books, ${clients} clients`, clients, many)
    case 'one':
      return workload(name, `${books} books, one client`, 1, many)
    case 'echo':
      return workload(name, `A bare echo, ${clients} clients`, clients, ['hot'])
  }
}

function workload(name: WorkloadName, title: string, clients: number, books: string[]): Workload {
  // Written beforehand: what is left to do for a request is to look it up.
  const requests = Array.from({ length: Math.max(books.length, customers) }, (_, number) =>
    postRequest(
      'localhost',
      '/reservations',
      { bookid: books[number % books.length]!, userid: `user-${number % customers}` },
      { prefer: 'wait=10' },
    ),
  )
  // A stride prime to any round number visits all of them, each client from a place of its own.
  const stride = 7_919
  return {
    name,
    title,
    clients,
    books,
    request: (client, count) => requests[(client * 131 + count * stride) % requests.length]!,
  }
}
