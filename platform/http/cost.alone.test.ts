/** The cost of our layer above Hono. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runtimeCommand } from '../../deploy/local/service.ts'
import { postRequest } from '../../load/bench/closed-loop.ts'
import { HttpConnection } from '../../load/bench/http-connection.ts'

/** The goal is 1.25. The rest is for machines with other work, which slows down the larger program more. */
const ratioMax = 1.4
const clients = 256
/** Until then V8 still compiles. */
const warmupRequests = 30_000
const rounds = 12
const roundRequests = 2_500

/** The flags of a service. */
const [, ...execArgv] = runtimeCommand('node')
const host = '127.0.0.1'
const body = { bookid: 'wanted', userid: 'ann' }
const request = postRequest(host, '/reservations', body, { prefer: 'wait=10' })

let ours: Server
let bare: Server
beforeAll(async () => {
  ours = await Server.start('ours')
  bare = await Server.start('bare')
  await Promise.all([ours.warmUp(), bare.warmUp()])
}, 120_000)
afterAll(async () => {
  await ours[Symbol.asyncDispose]()
  await bare[Symbol.asyncDispose]()
})

test.each([
  { heldMs: 0, how: 'answered at once' },
  { heldMs: 40, how: 'held for 40 ms' },
])(
  'a reservation without stores costs little more than bare Hono, $how',
  async ({ heldMs, how }) => {
    for (const server of [ours, bare]) server.hold(heldMs)
    const micros: { ours: number[]; bare: number[] } = { ours: [], bare: [] }
    for (let round = 0; round < rounds; round++) {
      const [its, others] = await Promise.all([ours.microsPerRequest(), bare.microsPerRequest()])
      micros.ours.push(its)
      micros.bare.push(others)
    }
    const ratio = median(micros.ours) / median(micros.bare)
    console.log(
      `CPU of a request ${how}: ${median(micros.ours).toFixed(1)} us, of bare Hono ${median(micros.bare).toFixed(1)} us: ${ratio.toFixed(2)} x`,
    )
    expect(ratio).toBeLessThan(ratioMax)
  },
  120_000,
)

class Server implements AsyncDisposable {
  readonly #child: ReturnType<typeof fork>
  readonly #connections: HttpConnection[]

  private constructor(child: ReturnType<typeof fork>, connections: HttpConnection[]) {
    this.#child = child
    this.#connections = connections
  }

  static async start(kind: 'ours' | 'bare'): Promise<Server> {
    const child = fork('platform/http/testing/cost-server.ts', [kind], { execArgv })
    const [port] = await once(child, 'message')
    const connections = await Promise.all(
      Array.from({ length: clients }, () => HttpConnection.open(host, port)),
    )
    return new Server(child, connections)
  }

  warmUp(): Promise<void> {
    return this.#ask(warmupRequests)
  }

  /** From now on, each request is held for that long. */
  hold(ms: number): void {
    this.#child.send(ms)
  }

  async microsPerRequest(): Promise<number> {
    const before = await this.#cpuMicros()
    await this.#ask(roundRequests)
    return ((await this.#cpuMicros()) - before) / roundRequests
  }

  async #cpuMicros(): Promise<number> {
    this.#child.send('cpu')
    const [{ user, system }] = await once(this.#child, 'message')
    return user + system
  }

  async #ask(count: number): Promise<void> {
    let left = count
    const client = async (connection: HttpConnection) => {
      while (left-- > 0) expect((await connection.exchange(request)).status).toBe(201)
    }
    await Promise.all(this.#connections.map(client))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#connections) connection.close()
    this.#child.kill()
    await once(this.#child, 'exit')
  }
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
