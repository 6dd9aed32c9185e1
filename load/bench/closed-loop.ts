/**
 * A closed loop: so many clients, each of which sends its next request when its last one is answered. What it counts
 * must be true: an answer that is not the wanted one is counted apart, under its own name, never as throughput.
 */
import { type Answer, HttpConnection } from './http-connection.ts'

export type Load = {
  host: string
  port: number
  clients: number
  /** Before the measured time. Its requests are counted in `asked`, `wanted` and `other`, and measured nowhere. */
  warmupMs: number
  measuredMs: number
  /** The run is over earlier when so many requests were sent. */
  requestsMax?: number
  /** How long an answer may be outstanding at the end. After that it is counted as `unanswered`. */
  graceMs: number
  /** The next request, head and body, ASCII. */
  request(client: number, count: number): string
  /** @returns whether this is the answer that was asked for. */
  wanted(answer: Answer): boolean
  signal?: AbortSignal
}

export type LoadResult = {
  /** Requests sent; each ends as wanted or other. */
  asked: number
  wanted: number
  /** How often something else came instead, by what it was: `503`, `201 but not as wanted`, `unanswered`, an error. */
  other: Record<string, number>
  /** Wanted answers within the measured time. */
  measured: number
  perSecond: number
  p50Ms: number
  p99Ms: number
  /** CPU of this process, user and system, for each request sent. */
  clientCpuMicros: number
}

/** How an answer is named that has the right status and says something else. */
export const notAsWanted = '201 but not as wanted'

const reconnectMs = 50

/** Runs until the time is over or the signal aborts, and every request in flight has ended. */
export async function runClosedLoop(load: Load): Promise<LoadResult> {
  const { requestsMax = Number.POSITIVE_INFINITY } = load
  const connections = await Promise.all(
    Array.from({ length: load.clients }, () => HttpConnection.open(load.host, load.port)),
  )
  const tally = { asked: 0, wanted: 0, other: {} as Record<string, number> }
  const latencies = new Latencies()
  const cpuBefore = process.cpuUsage()
  const measureFrom = performance.now() + load.warmupMs
  const until = measureFrom + load.measuredMs
  let late = false
  const miss = (what: string) => {
    tally.other[what] = (tally.other[what] ?? 0) + 1
  }

  const client = async (number: number) => {
    const goesOn = () => performance.now() < until && tally.asked < requestsMax && !load.signal?.aborted
    for (let count = 0; goesOn(); count++) {
      const request = load.request(number, count)
      const sentAt = performance.now()
      tally.asked++
      try {
        const answer = await connections[number]!.exchange(request)
        const now = performance.now()
        if (load.wanted(answer)) {
          tally.wanted++
          if (now >= measureFrom && now < until) latencies.add(now - sentAt)
        } else miss(answer.status === 201 ? notAsWanted : String(answer.status))
      } catch (error) {
        miss(late ? 'unanswered' : (error as Error).message)
      }
      if (!connections[number]!.open && goesOn())
        connections[number] = await reopen(load, connections[number]!, until)
    }
  }

  const deadline = setTimeout(
    () => {
      late = true
      for (const connection of connections) connection.close()
    },
    load.warmupMs + load.measuredMs + load.graceMs,
  )
  await Promise.all(connections.map((_, number) => client(number)))
  clearTimeout(deadline)
  const early = load.signal?.aborted || tally.asked >= requestsMax
  const measuredMs = (early ? Math.min(performance.now(), until) : until) - measureFrom
  for (const connection of connections) connection.close()
  const cpu = process.cpuUsage(cpuBefore)
  return {
    ...tally,
    measured: latencies.count,
    perSecond: latencies.count / Math.max(0.001, measuredMs / 1000),
    p50Ms: latencies.quantile(0.5),
    p99Ms: latencies.quantile(0.99),
    clientCpuMicros: (cpu.user + cpu.system) / Math.max(1, tally.asked),
  }
}

/** Tries until the server accepts or the time is over; then the closed connection comes back. */
async function reopen(load: Load, closed: HttpConnection, until: number): Promise<HttpConnection> {
  while (performance.now() < until && !load.signal?.aborted) {
    try {
      return await HttpConnection.open(load.host, load.port)
    } catch {
      await new Promise((resolve) => setTimeout(resolve, reconnectMs))
    }
  }
  return closed
}

/** A `POST` of a JSON body, ready to be sent on a kept-alive connection. */
export function postRequest(
  host: string,
  path: string,
  body: object,
  headers: Record<string, string> = {},
): string {
  const json = JSON.stringify(body)
  const lines = Object.entries({
    host,
    'content-type': 'application/json',
    'content-length': String(json.length),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`)
  return `POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n${json}`
}

/** Every latency, in milliseconds: exact quantiles, eight bytes each. */
class Latencies {
  count = 0
  #values = new Float64Array(1 << 16)
  #sorted = false

  add(ms: number): void {
    if (this.count === this.#values.length) {
      const grown = new Float64Array(this.#values.length * 2)
      grown.set(this.#values)
      this.#values = grown
    }
    this.#values[this.count++] = ms
  }

  /** @returns NaN when there is none. */
  quantile(part: number): number {
    if (!this.#sorted) this.#values.subarray(0, this.count).sort()
    this.#sorted = true
    return this.count === 0
      ? Number.NaN
      : this.#values[Math.min(this.count - 1, Math.floor(part * this.count))]!
  }
}
