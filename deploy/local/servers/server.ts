import type { Child, Exit } from '../processes/child.ts'

/** A running Postgres or Redis. */
export type Server = {
  url: string
  port: number
  pid: number
  exited: Promise<Exit>
  kill(signal: NodeJS.Signals): void
  /** Ends it in order: Postgres rolls open transactions back, and keeps committed ones. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export function serverOf(child: Child, url: string, port: number): Server {
  const { pid, exited, kill } = child
  const stop = async () => void (await child.stop())
  return { url, port, pid, exited, kill, stop, [Symbol.asyncDispose]: stop }
}
