import { createServer } from 'node:net'
import { ChildError } from './child.ts'

/** A port that is free now. Another process may take it before it is used, so callers must retry (`onPort`). */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const [port] = await freePorts(1, host)
  return port!
}

/** Distinct free ports. */
export async function freePorts(count: number, host = '127.0.0.1'): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  await Promise.all(
    servers.map((it) => new Promise<void>((done, fail) => it.once('error', fail).listen(0, host, done))),
  )
  const ports = servers.map((it) => (it.address() as { port: number }).port)
  await Promise.all(servers.map((it) => new Promise((done) => it.close(done))))
  return ports
}

/** @throws the error of listening, usually `EADDRINUSE`. */
export async function assertFree(port: number, host: string): Promise<void> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve))
  await new Promise((resolve) => server.close(resolve))
}

const attemptsMax = 5

/**
 * Starts a server on the given port, or on a free one if it is 0, with up to 4 retries when another process takes it. A server that
 * was started with several ports names the one that is taken.
 */
export async function onPort<Server>(
  port: number,
  start: (port: number) => Promise<Server>,
): Promise<Server> {
  for (let attempt = 1; ; attempt++) {
    const tried = port || (await freePort())
    try {
      return await start(tried)
    } catch (error) {
      if (port || !isTaken(tried, error) || attempt === attemptsMax) throw error
    }
  }
}

const isTaken = (port: number, error: unknown): boolean =>
  error instanceof ChildError &&
  error.lines.some((line) => /\bin use\b/i.test(line)) &&
  error.lines.some((line) => line.includes(String(port)))
