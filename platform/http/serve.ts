/**
 * The server of an app, on Node or Deno. Both answer the same requests in the same way. Only `reply.ts`,
 * `stdout.ts` and `heap.ts` also distinguish the two runtimes.
 */
import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { Problem } from './problem.ts'
import { checkTarget, isProbe, pathOf, probe } from './target.ts'
import { answerUnparsed } from './unparsed.ts'

type ServeOptions = {
  host: string
  /** 0 takes any free port. */
  port: number
  /** Name of the setting of the port, for the error message. */
  setting?: string
  /** Once aborted, answers carry `Connection: close`, so that clients move on before the server closes. */
  signal?: AbortSignal
  /** Makes the types of problems absolute. */
  publicUrl?: string | undefined
  /** Ignored on Deno, which keeps connections outside its heap and has no limit for them. */
  connections?: number
}

export type Listener = {
  port: number
  /** Stops accepting, finishes the requests in flight, and cuts those that take longer than `graceMs`. */
  close(graceMs: number): Promise<void>
}

/** @param env the app's `c.env`: on Node the incoming message and the outgoing response. */
type Fetch = (request: Request, env?: object) => Response | Promise<Response>

/** For receiving a request. Sending the response has no limit, because of Server-Sent Events. */
const receiveLimitMs = 30_000
/** For receiving the headers; on a new connection counted from its start. */
const headLimitMs = 10_000
/** How often Node checks these limits. */
const lookEveryMs = 5_000
/** Longer than proxies keep idle connections (Traefik 90 s, Google's 600 s), so that no request meets a connection that closes. */
const keepAliveMs = 620_000
/** Each takes 4 to 12 KB of heap: together with 2,000 held requests (`held.ts`) they leave a quarter of 128 MB free. */
export const connectionsMax = 5_000
/** Above this share of `connections`, idle connections are closed to make room. */
const crowdedShare = 0.9
/** That happens once per this share of new connections. */
const sweepShare = 0.02

/** All addresses, IPv4 included. A kernel without IPv6 rejects it. */
const everywhere = '::'
const everywhereByIPv4 = '0.0.0.0'

/** @throws {PortInUse} or an error of one line when it cannot listen. */
export async function serve(app: { fetch: Fetch }, options: ServeOptions): Promise<Listener> {
  const listen = 'Deno' in globalThis ? serveOnDeno : serveOnNode
  try {
    return await listen(app.fetch, options)
  } catch (error) {
    if (options.host !== everywhere || !isWithoutIPv6(error)) throw error
    return listen(app.fetch, { ...options, host: everywhereByIPv4 })
  }
}

const isWithoutIPv6 = (error: unknown) =>
  ['EAFNOSUPPORT', 'EADDRNOTAVAIL'].includes(((error as Error).cause as { code?: string })?.code ?? '')

async function serveOnNode(
  fetch: Fetch,
  { host, port, setting, signal, publicUrl, connections = connectionsMax }: ServeOptions,
): Promise<Listener> {
  const listen = getRequestListener(fetch)
  const limits = {
    requestTimeout: receiveLimitMs,
    headersTimeout: headLimitMs,
    connectionsCheckingInterval: lookEveryMs,
    keepAliveTimeout: keepAliveMs,
    // Deno does not distinguish HTTP/1.0, which needs no Host, from 1.1.
    requireHostHeader: false,
    ServerResponse: departing(signal),
  }
  const server = createServer(limits, (incoming, outgoing) => {
    if (isProbe(incoming.method, incoming.url!))
      return void outgoing.writeHead(probe.status, probe.headers).end()
    const problem = refusalOf(incoming)
    if (problem) return void answer(outgoing, problem.toResponse(publicUrl))
    return listen(incoming, outgoing)
  })
  // Unknown expectations are ignored, as on Deno.
  server.on('checkExpectation', (incoming, outgoing) => server.emit('request', incoming, outgoing))
  answerUnparsed(server, publicUrl)
  server.maxConnections = connections
  makeRoom(server, connections)
  const { promise: listening, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject).listen(port, host, resolve)
  await listening.catch((cause) => fail(port, setting, cause))
  server.off('error', reject)
  const address = server.address()
  return {
    port: typeof address === 'object' && address ? address.port : port,
    async close(graceMs) {
      const { promise: closed, resolve: done } = Promise.withResolvers<void>()
      // Timers fire before requests are read. A connection is idle only if nothing has arrived, however late this process is.
      const afterReading = (act: () => void) => setImmediate(() => setImmediate(act))
      afterReading(() => server.close(() => done()))
      // Connections that were busy at `close` become idle once they have answered.
      const sweep = setInterval(() => afterReading(() => server.closeIdleConnections()), 20)
      const cut = setTimeout(() => server.closeAllConnections(), graceMs)
      await closed
      clearInterval(sweep)
      clearTimeout(cut)
    },
  }
}

/** Answers carry `Connection: close` once the signal is aborted, also those to requests from before. */
function departing(signal: AbortSignal | undefined): typeof ServerResponse {
  return class extends ServerResponse {
    override writeHead(status: number, ...others: unknown[]): this {
      if (signal?.aborted) this.shouldKeepAlive = false
      return super.writeHead(status, ...(others as []))
    }
  } as typeof ServerResponse
}

/** Also reduces the target to a path and fixes the host, so that every request has a valid URL. */
function refusalOf(incoming: IncomingMessage): Problem | undefined {
  try {
    checkTarget(incoming.url!, hostOf(incoming.rawHeaders))
    incoming.url = pathOf(incoming.url!)
    incoming.headers.host = 'localhost'
  } catch (error) {
    if (error instanceof Problem) return error
    throw error
  }
}

/** @returns the Host header; if there are several, which RFC 9112 forbids, an invalid one. */
function hostOf(rawHeaders: string[]): string | undefined {
  let host: string | undefined
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    if (name.length !== 4 || name.toLowerCase() !== 'host') continue
    host = host === undefined ? rawHeaders[i + 1]! : 'several hosts'
  }
  return host
}

async function answer(outgoing: ServerResponse, response: Response): Promise<void> {
  const body = await response.text()
  const headers = { ...Object.fromEntries(response.headers), 'content-length': Buffer.byteLength(body) }
  outgoing.writeHead(response.status, headers).end(body)
}

/** Closes idle connections while nearly all allowed connections are open. */
function makeRoom(server: Server, connections: number): void {
  let open = 0
  let come = 0
  server.on('connection', (socket) => {
    open += 1
    come += 1
    socket.once('close', () => {
      open -= 1
    })
    if (open < connections * crowdedShare || come < connections * sweepShare) return
    come = 0
    server.closeIdleConnections()
  })
}

/** The part of Deno's API that is used here. */
type DenoServer = { addr: { port: number }; shutdown(): Promise<void>; finished: Promise<void> }
type DenoNamespace = {
  serve(
    options: { hostname: string; port: number; signal: AbortSignal; onListen(): void },
    handler: (request: Request, info: { remoteAddr: { hostname: string } }) => Promise<Response>,
  ): DenoServer
}

async function serveOnDeno(
  fetch: Fetch,
  { host, port, setting, signal, publicUrl }: ServeOptions,
): Promise<Listener> {
  const { Deno } = globalThis as unknown as { Deno: DenoNamespace }
  const cut = new AbortController()
  const handler = async (request: Request, info: { remoteAddr: { hostname: string } }) => {
    if (isProbe(request.method, starOf(request.url))) return new Response(null, probe)
    const response = await refusing(request, info.remoteAddr.hostname, fetch, publicUrl)
    if (signal?.aborted) response.headers.set('connection', 'close')
    return request.method === 'HEAD' ? withoutLength(response) : response
  }
  let server: DenoServer
  try {
    server = Deno.serve({ hostname: host, port, signal: cut.signal, onListen() {} }, handler)
  } catch (cause) {
    return fail(port, setting, cause)
  }
  return {
    port: server.addr.port,
    async close(graceMs) {
      const timer = setTimeout(() => cut.abort(), graceMs)
      await Promise.race([server.shutdown(), server.finished])
      clearTimeout(timer)
    },
  }
}

/** Deno turns the target `*` into the path `/*`. */
const starOf = (url: string): string => (url.endsWith('/*') && pathOf(url) === '/*' ? '*' : url)

/** Deno builds the URL from the raw Host header and target. */
async function refusing(
  request: Request,
  remoteAddress: string,
  fetch: Fetch,
  publicUrl: string | undefined,
): Promise<Response> {
  try {
    checkTarget(request.url, request.headers.get('host') ?? undefined)
    pathOf(request.url)
    return await fetch(request, { remoteAddress })
  } catch (error) {
    if (error instanceof Problem) return error.toResponse(publicUrl)
    throw error
  }
}

/** Deno adds `content-length: 0` to a response without a body; for HEAD that would claim that GET returns nothing. */
function withoutLength(response: Response): Response {
  if (response.body !== null || response.status === 204 || response.status === 304) return response
  return new Response(new ReadableStream({ start: (it) => it.close() }), response)
}

export class PortInUse extends Error {
  override name = 'PortInUse'
}

function fail(port: number, setting = 'PORT', cause: unknown): never {
  const { code, name } = cause as { code?: string; name?: string }
  if (code === 'EADDRINUSE' || name === 'AddrInUse') {
    throw new PortInUse(
      `Port ${port} is in use: stop the program that listens there, or set ${setting} to a free port`,
      { cause },
    )
  }
  throw new Error(`Cannot listen on port ${port}: ${(cause as Error).message}`, { cause })
}
