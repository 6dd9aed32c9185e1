/** A child process with a life of its own: its lines, its end, and a stop that always comes to an end. */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { leash } from './leash.ts'
import { onLines } from './lines.ts'

export type Exit = { code: number | null; signal: NodeJS.Signals | null }

export type ChildOptions = {
  /** For messages; the command unless told otherwise. */
  name?: string
  command: string
  args: string[]
  env?: NodeJS.ProcessEnv
  cwd?: string
  /** Whom to run as, when root starts what may not run as root. */
  user?: { uid: number; gid: number }
  /** Asks it to stop; `SIGKILL` follows after `graceMs`. */
  stopSignal?: NodeJS.Signals
  graceMs?: number
  /** Without it, its last lines are part of the error when it fails. */
  onLine?: (line: string) => void
}

export type Child = {
  pid: number
  exited: Promise<Exit>
  /** The last lines it wrote, oldest first. */
  tail(): string[]
  kill(signal: NodeJS.Signals): void
  stop(): Promise<Exit>
  /** Never resolves. @throws {ChildError} when it ends. */
  ends(): Promise<never>
  /** Resolves with the first line that matches. @throws {ChildError} when it ends, or takes too long. */
  line(pattern: RegExp, timeoutMs: number): Promise<string>
}

const tailLines = 30

/** @throws {Error} when the command cannot be run at all. */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { command, name = command, args, env, cwd, user, stopSignal = 'SIGTERM', graceMs = 10_000 } = options
  const process = spawn(command, args, {
    env,
    cwd,
    ...user,
    // A session of its own: Ctrl-C reaches the starter alone, which then stops things in order.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  await new Promise((resolve, reject) => process.once('spawn', resolve).once('error', reject))
  const pid = process.pid!
  const letGo = leash(pid, stopSignal)

  const tail: string[] = []
  const listeners = new Set<(line: string) => void>()
  const onLine = (line: string) => {
    tail.push(line)
    if (tail.length > tailLines) tail.shift()
    options.onLine?.(line)
    for (const listener of listeners) listener(line)
  }
  const exited = ended(process, onLine).finally(letGo)

  const kill = (signal: NodeJS.Signals) => void process.kill(signal)
  const stop = async () => {
    kill(stopSignal)
    const timer = setTimeout(kill, graceMs, 'SIGKILL')
    return exited.finally(() => clearTimeout(timer))
  }
  const failure = (what: string) => new ChildError(`${name} ${what}`, tail, options.onLine === undefined)
  const ends = async (): Promise<never> => {
    throw failure(`ended with ${describe(await exited)}`)
  }
  const line = (pattern: RegExp, timeoutMs: number) =>
    new Promise<string>((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(timer)
        listeners.delete(listen)
        act()
      }
      const fail = (what: string) => settle(() => reject(failure(what)))
      const listen = (text: string) => pattern.test(text) && settle(() => resolve(text))
      const timer = setTimeout(() => fail(`is not ready after ${timeoutMs} ms`), timeoutMs)
      const past = tail.find((text) => pattern.test(text))
      if (past) return settle(() => resolve(past))
      listeners.add(listen)
      exited.then((exit) => fail(`ended with ${describe(exit)}`))
    })
  return { pid, exited, tail: () => [...tail], kill, stop, ends, line }
}

export const describe = ({ code, signal }: Exit): string => signal ?? `code ${code}`

/** Ended means: gone, and everything it wrote was read. */
async function ended(process: ChildProcess, onLine: (line: string) => void): Promise<Exit> {
  const exit = new Promise<Exit>((resolve) =>
    process.once('exit', (code, signal) => resolve({ code, signal })),
  )
  await Promise.all([exit, read(process.stdout!, onLine, exit), read(process.stderr!, onLine, exit)])
  return exit
}

/** Resolves at the stream's end, or shortly after the exit: a grandchild may hold the pipe open for ever. */
async function read(stream: Readable, onLine: (line: string) => void, exit: Promise<Exit>): Promise<void> {
  const closed = new Promise((resolve) => stream.once('close', resolve))
  onLines(stream, onLine)
  await exit
  const timer = setTimeout(() => stream.destroy(), 1_000)
  await closed
  clearTimeout(timer)
}

export class ChildError extends Error {
  override name = 'ChildError'
  readonly lines: string[]
  /** @param quote whether the message repeats the lines. */
  constructor(what: string, lines: string[], quote: boolean) {
    super(quote && lines.length ? `${what}:\n${lines.slice(-10).join('\n')}` : what)
    this.lines = [...lines]
  }
}
