/** A crowd that asks all three services at once, each in a closed loop, and knows what became of every request. */
import { type Load, postRequest, runClosedLoop } from '../../../../load/bench/closed-loop.ts'
import type { Answer } from '../../../../load/bench/http-connection.ts'
import type { Cluster } from './cluster.ts'

export type Asked = {
  asked: number
  /** What came instead of the wanted answer, and how often. */
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
 * Asks until the signal is aborted and so many requests were sent.
 * @param books of which copies were received.
 */
export async function customers(
  cluster: Cluster,
  books: string[],
  { signal, requestsMin }: { signal: AbortSignal; requestsMin: number },
): Promise<Asked> {
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
    // Each is answered by the actor itself, wherever the book's partition is at the moment.
    'POST /stocks': {
      port: stock.port,
      clients: 1,
      request: (client, count) => postRequest(host, '/stocks', { bookid: bookOf(client, count), qty: 0 }),
      wanted: ({ status }) => status === 201,
    },
    'GET /notices': { port: notifier.port, clients: 1, request: () => get('/notices?limit=1'), wanted: ok },
  }

  const leaving = new AbortController()
  let asked = 0
  const load = ({ request, ...customer }: Customer): Load => ({
    ...customer,
    host,
    warmupMs: 0,
    measuredMs: longestMs,
    graceMs: 5_000,
    signal: leaving.signal,
    request(client, count) {
      if (++asked >= requestsMin && signal.aborted) leaving.abort()
      return request(client, count)
    },
  })
  const results = await Promise.all(
    Object.entries(crowd).map(async ([name, customer]) => {
      const { other } = await runClosedLoop(load(customer))
      return Object.entries(other).map(([what, count]) => [`${name}: ${what}`, count] as const)
    }),
  )
  return { asked, dropped: Object.fromEntries(results.flat()), accepted }
}

const ok = ({ status }: Answer) => status === 200
const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: ${host}\r\n\r\n`
