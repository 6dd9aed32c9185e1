/**
 * The address of a Service, like kube-proxy's: each new connection goes to one of the pods that were ready a while ago, and
 * stays with it. That delay is why pods keep serving while they are terminating.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { Deployment } from './deployment.ts'
import type { Pod } from './pod.ts'

/** How long a node may take to learn of a change. Usually it is much less. */
const learnsAfterMs = 3_000

export class VirtualAddress implements AsyncDisposable {
  readonly #server: Server
  readonly #deployment: Deployment
  readonly #sockets = new Set<Socket>()
  /** Until when a pod still gets connections after it stopped being ready. */
  readonly #known = new Map<Pod, number>()
  readonly #timer: NodeJS.Timeout
  #turn = 0

  private constructor(server: Server, deployment: Deployment) {
    this.#server = server
    this.#deployment = deployment
    server.on('connection', (client) => this.#forward(client))
    this.#timer = setInterval(() => this.#learn(), 50)
  }

  static async of(deployment: Deployment): Promise<VirtualAddress> {
    const server = createServer({ noDelay: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new VirtualAddress(server, deployment)
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await once(this.#server, 'close')
  }

  #learn(): void {
    const now = performance.now()
    for (const pod of this.#deployment.all) if (pod.ready) this.#known.set(pod, now + learnsAfterMs)
    for (const [pod, until] of this.#known) if (until < now) this.#known.delete(pod)
  }

  #forward(client: Socket): void {
    this.#learn()
    const pods = [...this.#known.keys()]
    const pod = pods[this.#turn++ % pods.length]
    client.on('error', () => {})
    if (!pod) {
      client.resetAndDestroy()
      return
    }
    const upstream = connect({ host: '127.0.0.1', port: pod.port, noDelay: true })
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.#sockets.add(one)
      one.on('error', () => other.destroy())
      one.on('close', () => {
        this.#sockets.delete(one)
        other.end()
      })
      one.pipe(other)
    }
  }
}
