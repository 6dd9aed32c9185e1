/**
 * A closed loop: each client sends its next request when its last one is answered. Answers other than the wanted one are
 * counted separately, by kind, and never as throughput.
 */
import { type Answer, HttpConnection } from './http-connection.ts'

export type Load = {
  host: string
  port: number
  clients: number
  /** Before the measured time. Its requests count in `sent`, `wanted` and `other`, but are not measured. */
  warmupMs: number
  measuredMs: number
  /** The run ends early after this many requests. */
  requestsMax?: number
  /** How long an answer may be outstanding at the end. After that it counts as `unanswered`. */
  graceMs: number
  /** The next request, head and body, ASCII. */
  request(client: number, count: number): string
  /** @returns whether this is the wanted answer. */
  wanted(answer: Answer): boolean
  signal?: AbortSignal
}

export type LoadResult = {
  /** Requests sent; each ends as wanted or other. */
  sent: number
  wanted: number
  /** The number of other answers by kind: `503`, `201 with another status`, `unanswered`, an error. */
  other: Record<string, number>
  /** Wanted answers within the measured time. */
  measured: number
  perSecond: number
  p50Ms: number
  p99Ms: number
  /** CPU of this process, user and system, per sent request. */
  clientCpuMicros: number
}

/** The kind of an answer with the right HTTP status and another status of the reservation. */
export const otherStatus = '201 with another status'

const reconnectMs = 50

/** Runs until the time is over or the signal is aborted, and every request in flight has ended. */
export async function runClosedLoop(load: Load): Promise<LoadResult> {
  const { requestsMax = Number.POSITIVE_INFINITY } = load
  const connections = await Promise.all(
    Array.from({ length: load.clients }, () => HttpConnection.open(load.host, load.port)),
  )
  const tally = { sent: 0, wanted: 0, other: {} as Record<string, number> }
  const latencies = new Latencies()
  const cpuBefore = process.cpuUsage()
  const measureFrom = performance.now() + load.warmupMs
  const until = measureFrom + load.measuredMs
  let late = false
  const miss = (what: string) => {
    tally.other[what] = (tally.other[what] ?? 0) + 1
  }

  const client = async (number: number) => {
    const goesOn = () => performance.now() < until && tally.sent < requestsMax && !load.signal?.aborted
    for (let count = 0; goesOn(); count++) {
      const request = load.request(number, count)
      const sentAt = performance.now()
      tally.sent++
      try {
        const answer = await connections[number]!.exchange(request)
        const now = performance.now()
        if (load.wanted(answer)) {
          tally.wanted++
          if (now >= measureFrom && now < until) latencies.add(now - sentAt)
        } else miss(answer.status === 201 ? otherStatus : String(answer.status))
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
  const early = load.signal?.aborted || tally.sent >= requestsMax
  const measuredMs = (early ? Math.min(performance.now(), until) : until) - measureFrom
  for (const connection of connections) connection.close()
  const cpu = process.cpuUsage(cpuBefore)
  return {
    ...tally,
    measured: latencies.count,
    perSecond: latencies.count / Math.max(0.001, measuredMs / 1000),
    p50Ms: latencies.quantile(0.5),
    p99Ms: latencies.quantile(0.99),
    clientCpuMicros: (cpu.user + cpu.system) / Math.max(1, tally.sent),
  }
}

/** Retries until the server accepts or the time is over; then it returns the closed connection. */
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

/** A `POST` of a JSON body, ready to send on a keep-alive connection. */
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

/** All latencies in milliseconds, for exact quantiles, at eight bytes each. */
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
