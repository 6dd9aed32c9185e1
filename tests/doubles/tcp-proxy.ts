/**
 * A TCP proxy between a service and a store that fails as networks do. Bytes held back while it is silent are
 * delivered late, as by a stalled network or process.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

type Pair = { client: Socket; upstream: Socket; swallow: boolean; abandoned: boolean; left: boolean }
export type Direction = 'requests' | 'replies'
const directions: Direction[] = ['requests', 'replies']

export class TcpProxy implements AsyncDisposable {
  readonly #server: Server
  readonly #pairs = new Set<Pair>()
  readonly #silent = new Set<Direction>()
  #target: URL
  #refusing = false
  #armed: { left: number; request: (bytes: Buffer) => boolean; done: () => void } | undefined

  private constructor(server: Server, target: URL) {
    this.#server = server
    this.#target = target
  }

  /** @param target URL of the store behind the proxy. */
  static async start(target: string): Promise<TcpProxy> {
    // An abandoned connection does not answer when one end closes it, so each end is closed separately.
    const server = createServer({ allowHalfOpen: true })
    const proxy = new TcpProxy(server, new URL(target))
    server.on('connection', (client) => proxy.#accept(client))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return proxy
  }

  /** The target's URL through the proxy. */
  get url(): string {
    const url = new URL(this.#target)
    url.hostname = '127.0.0.1'
    url.port = String((this.#server.address() as AddressInfo).port)
    return url.href
  }

  /**
   * Lets the next request that `request` accepts reach the store, swallows the reply and cuts the connection: the
   * client does not know the outcome of its request.
   *
   * @returns when `times` replies have been swallowed.
   */
  swallowReply(request: (bytes: Buffer) => boolean = () => true, times = 1): Promise<void> {
    return new Promise((resolve) => {
      this.#armed = { left: times, request, done: resolve }
    })
  }

  /** Cuts every connection. New ones are accepted. */
  cut(): void {
    for (const pair of this.#pairs) this.#end(pair)
  }

  /** Cuts every connection, and leads new ones to another store, as an address that follows the primary does. */
  moveTo(target: string): void {
    this.#target = new URL(target)
    this.cut()
  }

  /** Cuts every connection and accepts none until `restore`. */
  refuse(): void {
    this.#refusing = true
    this.cut()
  }

  /** Holds back all bytes in a direction (both by default), on old and new connections. */
  silence(...which: Direction[]): void {
    for (const direction of which.length > 0 ? which : directions) this.#silent.add(direction)
    for (const pair of this.#pairs) this.#applySilence(pair)
  }

  /**
   * Abandons every connection, like a firewall that has forgotten them: bytes are acknowledged and lost, and neither
   * end sees the other close. This is permanent; new connections work.
   */
  abandon(): void {
    for (const pair of this.#pairs) pair.abandoned = true
  }

  /** How many abandoned connections are still open at their clients. */
  get kept(): number {
    return [...this.#pairs].filter((it) => it.abandoned && !it.left).length
  }

  /** Lets the store see that the clients of abandoned connections are gone. */
  reap(): void {
    for (const pair of this.#pairs) if (pair.abandoned) this.#end(pair)
  }

  /** Ends `refuse` and `silence`; bytes held back flow now. */
  restore(): void {
    this.#refusing = false
    this.#silent.clear()
    for (const pair of this.#pairs) this.#applySilence(pair)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#refusing = true
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #accept(client: Socket): void {
    if (this.#refusing) {
      client.on('error', () => {})
      client.resetAndDestroy()
      return
    }
    const { hostname: host, port } = this.#target
    const upstream = connect({ host, port: Number(port), noDelay: true, allowHalfOpen: true })
    const pair: Pair = { client, upstream, swallow: false, abandoned: false, left: false }
    this.#pairs.add(pair)
    client.setNoDelay(true)
    client.on('data', (bytes) => this.#forwardRequest(pair, bytes))
    upstream.on('data', (bytes) => this.#forwardReply(pair, bytes))
    client.on('error', () => {})
    upstream.on('error', () => {})
    client.on('end', () => {
      pair.left = true
      if (!pair.abandoned) client.end()
    })
    upstream.on('end', () => pair.abandoned || upstream.end())
    client.on('close', () => {
      pair.left = true
      if (pair.abandoned) return
      this.#pairs.delete(pair)
      // Accepted bytes still arrive: a store gets the last bytes of a client that has closed.
      upstream.end()
    })
    upstream.on('close', () => pair.abandoned || client.destroy())
    this.#applySilence(pair)
  }

  #forwardRequest(pair: Pair, bytes: Buffer): void {
    if (pair.abandoned) return
    if (this.#armed && this.#armed.left > 0 && !pair.swallow && this.#armed.request(bytes)) {
      this.#armed.left--
      pair.swallow = true
    }
    if (!pair.upstream.destroyed) pair.upstream.write(bytes)
  }

  #forwardReply(pair: Pair, bytes: Buffer): void {
    if (pair.abandoned) return
    if (!pair.swallow) {
      if (!pair.client.destroyed) pair.client.write(bytes)
      return
    }
    this.#end(pair)
    if (this.#armed?.left === 0) {
      this.#armed.done()
      this.#armed = undefined
    }
  }

  #applySilence({ client, upstream }: Pair): void {
    if (this.#silent.has('requests')) client.pause()
    else client.resume()
    if (this.#silent.has('replies')) upstream.pause()
    else upstream.resume()
  }

  #end(pair: Pair): void {
    this.#pairs.delete(pair)
    pair.client.destroy()
    pair.upstream.destroy()
  }
}
