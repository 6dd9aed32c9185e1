/** Customers of all three services at once, each in a closed loop, who record the result of every request. */
import { type Load, postRequest, runClosedLoop } from '../../../../load/bench/closed-loop.ts'
import type { Answer } from '../../../../load/bench/http-connection.ts'
import type { Cluster } from './cluster.ts'

export type Requested = {
  requested: number
  /** Unexpected answers, and how often each came. */
  dropped: Record<string, number>
  accepted: { reservationid: string }[]
}

const host = '127.0.0.1'
const longestMs = 60_000

type Customer = {
  port: number
  clients: number
  request(client: number, count: number): string
  wanted(answer: Answer): boolean
}

/**
 * Sends requests until the signal is aborted and `requestsMin` requests were sent.
 * @param books the books to reserve; copies of them were received.
 */
export async function customers(
  cluster: Cluster,
  books: string[],
  { signal, requestsMin }: { signal: AbortSignal; requestsMin: number },
): Promise<Requested> {
  const accepted: { reservationid: string }[] = []
  const { reservation, stock, notifier } = cluster.addresses
  const bookOf = (client: number, count: number) => books[(client + count) % books.length]!
  const crowd: Record<string, Customer> = {
    'POST /reservations': {
      port: reservation.port,
      clients: 2,
      request: (client, count) => {
        const userid = `reader-${client}-${count}`
        return postRequest(host, '/reservations', { bookid: bookOf(client, count), userid })
      },
      wanted({ status, body }) {
        if (status !== 201) return false
        accepted.push({ reservationid: JSON.parse(body).reservationid })
        return true
      },
    },
    'GET /books': { port: reservation.port, clients: 1, request: () => get('/books?limit=5'), wanted: ok },
    'GET /stocks': {
      port: stock.port,
      clients: 1,
      request: (client, count) => get(`/stocks/${bookOf(client, count)}`),
      wanted: ok,
    },
    // The actor itself answers, whichever worker has the partition of the book at the moment.
    'POST /stocks': {
      port: stock.port,
      clients: 1,
      request: (client, count) => postRequest(host, '/stocks', { bookid: bookOf(client, count), qty: 0 }),
      wanted: ({ status }) => status === 201,
    },
    'GET /notices': { port: notifier.port, clients: 1, request: () => get('/notices?limit=1'), wanted: ok },
  }

  const leaving = new AbortController()
  let requested = 0
  const load = ({ request, ...customer }: Customer): Load => ({
    ...customer,
    host,
    warmupMs: 0,
    measuredMs: longestMs,
    graceMs: 5_000,
    signal: leaving.signal,
    request(client, count) {
      if (++requested >= requestsMin && signal.aborted) leaving.abort()
      return request(client, count)
    },
  })
  const results = await Promise.all(
    Object.entries(crowd).map(async ([name, customer]) => {
      const { other } = await runClosedLoop(load(customer))
      return Object.entries(other).map(([what, count]) => [`${name}: ${what}`, count] as const)
    }),
  )
  return { requested, dropped: Object.fromEntries(results.flat()), accepted }
}

const ok = ({ status }: Answer) => status === 200
const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: ${host}\r\n\r\n`
