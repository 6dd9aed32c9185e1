/** The server under an app: the only file that knows Node from Deno. Both answer the same requests in the same way. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { Problem } from './problem.ts'
import { checkTarget, isProbe, pathOf, probe } from './target.ts'

export type ServeOptions = {
  host: string
  /** 0 takes any free port. */
  port: number
  /** By which the port is set, for who has to set another. */
  setting?: string
  /** Once aborted, answers carry `Connection: close`, so that clients move on before the server closes. */
  signal?: AbortSignal
  /** Not heeded by Deno, which keeps connections outside its heap and has no limit for them. */
  connections?: number
}

export type Listener = {
  port: number
  /** Accepts no more, finishes the requests in flight, and cuts those that take longer than `graceMs`. */
  close(graceMs: number): Promise<void>
}

/** @param env what the app finds as `c.env`: on Node the two sides of the exchange. */
type Fetch = (request: Request, env?: object) => Response | Promise<Response>

/** Slow enough for anyone who means it; the answer may take as long as it likes (Server-Sent Events do). */
const receiveLimitMs = 30_000
/** The head of a request is small. A connection that has sent none counts from its beginning. */
const headLimitMs = 10_000
/** How often Node looks for requests that exceed these limits. */
const lookEveryMs = 5_000
/** Longer than the idle time of the usual load balancers (60 s), so that they close first. */
const keepAliveMs = 65_000
/** Each takes 4 to 12 KB of the heap: with 2,000 held requests among them (`held.ts`) they leave a quarter of 128 MB free. */
export const connectionsMax = 5_000
/** From this share of them on, connections without a request are closed: others need the room. */
const crowdedShare = 0.9
/** That is looked to whenever this share of them has come. */
const sweepShare = 0.02

/** @throws with one clear line when the port cannot be had. */
export function serve(app: { fetch: Fetch }, options: ServeOptions): Promise<Listener> {
  return 'Deno' in globalThis ? serveOnDeno(app.fetch, options) : serveOnNode(app.fetch, options)
}

async function serveOnNode(
  fetch: Fetch,
  { host, port, setting, signal, connections = connectionsMax }: ServeOptions,
): Promise<Listener> {
  const listen = getRequestListener(fetch)
  const limits = {
    requestTimeout: receiveLimitMs,
    headersTimeout: headLimitMs,
    connectionsCheckingInterval: lookEveryMs,
    keepAliveTimeout: keepAliveMs,
    // Deno cannot tell HTTP/1.0, which needs none, from 1.1.
    requireHostHeader: false,
  }
  const server = createServer(limits, (incoming, outgoing) => {
    if (isProbe(incoming.method, incoming.url!))
      return void outgoing.writeHead(probe.status, probe.headers).end()
    const problem = refusalOf(incoming)
    if (problem) return void answer(outgoing, problem)
    return listen(incoming, outgoing)
  })
  server.maxConnections = connections
  makeRoom(server, connections)
  const { promise: listening, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject).listen(port, host, resolve)
  await listening.catch((cause) => fail(port, setting, cause))
  server.off('error', reject)
  const stopping = () =>
    server.prependListener('request', (_request, response) => {
      response.shouldKeepAlive = false
    })
  signal?.addEventListener('abort', stopping, { once: true })
  const address = server.address()
  return {
    port: typeof address === 'object' && address ? address.port : port,
    async close(graceMs) {
      const { promise: closed, resolve: done } = Promise.withResolvers<void>()
      server.close(() => done())
      // A connection that was busy when the server closed is idle once it has answered.
      const sweep = setInterval(() => server.closeIdleConnections(), 20)
      const cut = setTimeout(() => server.closeAllConnections(), graceMs)
      await closed
      clearInterval(sweep)
      clearTimeout(cut)
    },
  }
}

/** Also makes the target a path and the host a fixed one, of which every URL can be made. */
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

/** @returns the Host header; of several, which RFC 9112 has refused, something that names no host. */
function hostOf(rawHeaders: string[]): string | undefined {
  let host: string | undefined
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    if (name.length !== 4 || name.toLowerCase() !== 'host') continue
    host = host === undefined ? rawHeaders[i + 1]! : 'several hosts'
  }
  return host
}

async function answer(outgoing: ServerResponse, problem: Problem): Promise<void> {
  const response = problem.toResponse()
  const body = await response.text()
  const headers = { ...Object.fromEntries(response.headers), 'content-length': Buffer.byteLength(body) }
  outgoing.writeHead(response.status, headers).end(body)
}

/** Closes connections without a request while there are nearly as many connections as there may be. */
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

/** The little of Deno that is used here. */
type DenoServer = { addr: { port: number }; shutdown(): Promise<void>; finished: Promise<void> }
type DenoNamespace = {
  serve(
    options: { hostname: string; port: number; signal: AbortSignal; onListen(): void },
    handler: Fetch,
  ): DenoServer
}

async function serveOnDeno(fetch: Fetch, { host, port, setting, signal }: ServeOptions): Promise<Listener> {
  const { Deno } = globalThis as unknown as { Deno: DenoNamespace }
  const cut = new AbortController()
  const handler: Fetch = async (request) => {
    if (isProbe(request.method, starOf(request.url))) return new Response(null, probe)
    const response = await refusing(request, fetch)
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

/** Deno makes a path of `*`. */
const starOf = (url: string): string => (url.endsWith('/*') && pathOf(url) === '/*' ? '*' : url)

/** Deno puts the Host header and the target into the URL as they are. */
async function refusing(request: Request, fetch: Fetch): Promise<Response> {
  try {
    checkTarget(request.url, request.headers.get('host') ?? undefined)
    pathOf(request.url)
    return await fetch(request)
  } catch (error) {
    if (error instanceof Problem) return error.toResponse()
    throw error
  }
}

/** Deno gives an answer without a body `content-length: 0`, which would say of HEAD that GET has nothing. */
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
    throw new PortInUse(`Port ${port} is in use: stop what listens there, or set ${setting} to a free one`, {
      cause,
    })
  }
  throw new Error(`Cannot listen on port ${port}: ${(cause as Error).message}`, { cause })
}
