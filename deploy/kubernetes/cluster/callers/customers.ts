/**
 * Requests without a pause, on kept-alive connections and on fresh ones, until standard input ends: `customers.ts JSON`. It runs in
 * a pod. It receives copies of its books first, prints that it is ready, and at the end a `Tally` as JSON.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { postRequest, runClosedLoop } from '../../../../load/bench/closed-loop.ts'
import { HttpConnection } from '../../../../load/bench/http-connection.ts'

export type Address = { host: string; port: number }
export type Addresses = Record<'reservation' | 'stock' | 'web', Address>
export type Crowd = {
  at: Addresses
  books: string[]
  /** Makes their names differ from those of other crowds. */
  name: string
  /** Clients per kind of request. */
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

type Kind = { to: Address; request(client: string, count: number): string; wanted: number }

const answerMs = 15_000
const longMs = 24 * 3600 * 1000
const failuresShown = 20

/** More than anybody takes. */
async function receive({ at: { stock }, books }: Crowd): Promise<void> {
  const connection = await HttpConnection.open(stock.host, stock.port)
  for (const bookid of books) {
    const receipt = { bookid, qty: 1_000_000, title: bookid }
    const { status } = await connection.exchange(postRequest(stock.host, '/stocks', receipt, {}))
    if (status !== 201) throw new Error(`The receipt of ${bookid} was answered ${status}`)
  }
  connection.close()
}

async function crowd({ at, books, name, clients, least }: Crowd, home: AbortSignal): Promise<Tally> {
  let made = 0
  const leave = new AbortController()
  const leaving = leave.signal
  const count = () => {
    if (++made >= least && home.aborted) leave.abort()
  }
  home.addEventListener('abort', () => made >= least && leave.abort())
  const tally: Tally = { asked: 0, failed: 0, accepted: 0, failures: [] }
  const since = performance.now()
  const time = () => `${((performance.now() - since) / 1000).toFixed(1)} s`
  const fail = (what: string, times = 1) => {
    tally.failed += times
    if (tally.failures.length < failuresShown) tally.failures.push(`${time()} ${what}`)
  }
  const book = (count: number) => books[count % books.length]!
  const get = ({ host }: Address, path: string) => `GET ${path} HTTP/1.1\r\nhost: ${host}\r\n\r\n`
  const reserve = (wait: boolean) => (client: string, count: number) =>
    postRequest(
      at.reservation.host,
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
  const accept = (kind: Kind, status: number) => {
    if (status === 201 && kind.wanted === 201) tally.accepted++
    return status === kind.wanted
  }

  async function kept(what: string, kind: Kind): Promise<void> {
    const { sent, other } = await runClosedLoop({
      ...kind.to,
      clients,
      warmupMs: 0,
      measuredMs: longMs,
      graceMs: answerMs,
      signal: leaving,
      request: (client, n) => {
        count()
        return kind.request(`kept-${what.length}-${client}`, n)
      },
      wanted: ({ status, body }) => {
        const ok = accept(kind, status)
        if (!ok && tally.failures.length < failuresShown)
          tally.failures.push(`${time()} ${what}, kept alive: ${status} ${body.slice(0, 400)}`)
        return ok
      },
    })
    tally.asked += sent
    for (const [reason, times] of Object.entries(other)) fail(`${what}, kept alive: ${reason}`, times)
  }

  async function fresh(what: string, kind: Kind): Promise<void> {
    for (let n = 0; !leaving.aborted; n++) {
      count()
      tally.asked++
      try {
        const connection = await HttpConnection.open(kind.to.host, kind.to.port)
        const limit = delay(answerMs, undefined, { ref: false }).then(() => {
          throw new Error(`no answer within ${answerMs / 1000} s`)
        })
        const { status, body } = await Promise.race([
          connection.exchange(kind.request(`fresh-${what.length}`, n)),
          limit,
        ])
        connection.close()
        if (!accept(kind, status)) fail(`${what}, fresh: ${status} ${body.slice(0, 400)}`)
      } catch (error) {
        fail(`${what}, fresh: ${(error as Error).message}`)
      }
      await delay(10)
    }
  }

  const all = Object.entries(kinds)
  await Promise.all([...all.map(([what, it]) => kept(what, it)), ...all.map(([what, it]) => fresh(what, it))])
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
