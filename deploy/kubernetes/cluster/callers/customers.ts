/**
 * Requests at a calm pace, on kept-alive connections and on fresh ones, until standard input ends: `customers.ts JSON`. It runs in
 * a pod. It receives copies of its books first, prints that it is ready, and at the end a `Tally` as JSON. A crowd that asks as
 * fast as it can would fill the machine, and then services refuse requests as they must.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { postRequest } from '../../../../load/bench/closed-loop.ts'
import { HttpConnection } from '../../../../load/bench/http-connection.ts'

export type Address = {
  host: string
  port: number
  /** For the Host header. The host itself, if undefined. */
  name?: string
}
export type Addresses = Record<'reservation' | 'stock' | 'web', Address>
export type Crowd = {
  at: Addresses
  books: string[]
  /** Makes their names differ from those of other crowds. */
  name: string
  /** Clients per kind of request with a connection that they keep, beside one that opens a connection for each request. */
  clients: number
  /** They stay until they have made as many requests. */
  least: number
}
/** Every request counts once. */
export type Tally = {
  asked: number
  failed: number
  /** Reservations that were accepted. */
  accepted: number
  /** The first failures, with the time since the start. */
  failures: string[]
}

const nameOf = ({ host, name = host }: Address): string => name

type Kind = { to: Address; request(client: string, count: number): string; wanted: number }

const answerMs = 15_000
/** Of each client, between an answer and its next request. */
const pauseMs = 20
const failuresShown = 20

/** More than any customer takes. */
async function receive({ at: { stock }, books }: Crowd): Promise<void> {
  const connection = await HttpConnection.open(stock.host, stock.port)
  for (const bookid of books) {
    const receipt = { bookid, qty: 1_000_000, title: bookid }
    const { status } = await connection.exchange(postRequest(nameOf(stock), '/stocks', receipt, {}))
    if (status !== 201) throw new Error(`The receipt of ${bookid} was answered ${status}`)
  }
  connection.close()
}

async function crowd({ at, books, name, clients, least }: Crowd, home: AbortSignal): Promise<Tally> {
  const tally: Tally = { asked: 0, failed: 0, accepted: 0, failures: [] }
  const since = performance.now()
  const time = () => `${((performance.now() - since) / 1000).toFixed(1)} s`
  const fail = (what: string) => {
    tally.failed++
    if (tally.failures.length < failuresShown) tally.failures.push(`${time()} ${what}`)
  }
  const book = (count: number) => books[count % books.length]!
  const get = (to: Address, path: string) => `GET ${path} HTTP/1.1\r\nhost: ${nameOf(to)}\r\n\r\n`
  const reserve = (wait: boolean) => (client: string, count: number) =>
    postRequest(
      nameOf(at.reservation),
      '/reservations',
      { bookid: book(count), userid: `${name}-${client}-${count}` },
      wait ? { prefer: 'wait=5' } : {},
    )
  const kinds: Record<string, Kind> = {
    'POST /reservations': { to: at.reservation, wanted: 201, request: reserve(false) },
    'POST /reservations, waiting': { to: at.reservation, wanted: 201, request: reserve(true) },
    'GET /books': { to: at.reservation, wanted: 200, request: () => get(at.reservation, '/books?limit=5') },
    'GET /stocks': { to: at.stock, wanted: 200, request: (_, n) => get(at.stock, `/stocks/${book(n)}`) },
    'GET /': { to: at.web, wanted: 200, request: () => get(at.web, '/robots.txt') },
  }

  /** @param keep the connection for the next request. */
  async function ask(what: string, kind: Kind, client: string, keep: boolean): Promise<void> {
    let connection: HttpConnection | undefined
    for (let n = 0; !home.aborted || tally.asked < least; n++) {
      tally.asked++
      const limit = setTimeout(() => connection?.close(), answerMs)
      try {
        if (!connection?.open) connection = await HttpConnection.open(kind.to.host, kind.to.port)
        const { status, body } = await connection.exchange(kind.request(client, n))
        if (status !== kind.wanted) fail(`${what}, ${client}: ${status} ${body.slice(0, 400)}`)
        else if (status === 201) tally.accepted++
      } catch (error) {
        fail(`${what}, ${client}: ${(error as Error).message}`)
        connection?.close()
      }
      clearTimeout(limit)
      if (!keep) connection?.close()
      await delay(pauseMs)
    }
  }

  await Promise.all(
    Object.entries(kinds).flatMap(([what, kind], i) => [
      ...Array.from({ length: clients }, (_, n) => ask(what, kind, `kept-${i}-${n}`, true)),
      ask(what, kind, `fresh-${i}`, false),
    ]),
  )
  return tally
}

if (import.meta.main) {
  const home = new AbortController()
  process.stdin.resume().once('end', () => home.abort())
  const asked = JSON.parse(process.argv[2]!) as Crowd
  await receive(asked)
  console.log('ready')
  console.log(JSON.stringify(await crowd(asked, home.signal)))
  process.exit()
}
