/** A child process with a life of its own: its lines, its end, and a stop that always comes to an end. */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { killTree } from './kill-tree.ts'
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
  /** What it reads; nothing unless told otherwise. */
  input?: string
  /** Descriptors that it inherits, from its 3 on. */
  inherit?: number[]
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

/** Pids of the children of this process that have not ended. */
const running = new Set<number>()

/** Kills every child with all its descendants, without asking and without waiting: none writes any more. */
export function killAll(): void {
  for (const pid of running) killTree(pid)
}

/** @throws {Error} when the command cannot be run at all. */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { command, name = command, args, env, cwd, user, stopSignal = 'SIGTERM', graceMs = 10_000 } = options
  const { input, inherit = [] } = options
  const process = spawn(command, args, {
    env,
    cwd,
    ...user,
    // A session of its own: Ctrl-C reaches the starter alone, which then stops things in order.
    detached: true,
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', ...inherit],
  }) as ChildProcess
  await new Promise((resolve, reject) => process.once('spawn', resolve).once('error', reject))
  const pid = process.pid!
  const letGo = leash(pid, stopSignal)
  running.add(pid)
  // It may end without having read: that is told by its exit.
  process.stdin?.on('error', () => {}).end(input)

  const tail: string[] = []
  const listeners = new Set<(line: string) => void>()
  const onLine = (line: string) => {
    tail.push(line)
    if (tail.length > tailLines) tail.shift()
    options.onLine?.(line)
    for (const listener of listeners) listener(line)
  }
  const exited = ended(process, onLine).finally(() => {
    running.delete(pid)
    letGo()
  })

  const kill = (signal: NodeJS.Signals) => void process.kill(signal)
  const stop = async () => {
    kill(stopSignal)
    const timer = setTimeout(kill, graceMs, 'SIGKILL')
    return exited.finally(() => clearTimeout(timer))
  }
  const failure = (what: string, exit?: Exit) =>
    new ChildError(`${name} ${what}`, tail, options.onLine === undefined, exit)
  const ends = async (): Promise<never> => {
    const exit = await exited
    throw failure(`ended with ${describe(exit)}`, exit)
  }
  const line = (pattern: RegExp, timeoutMs: number) =>
    new Promise<string>((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(timer)
        listeners.delete(listen)
        act()
      }
      const fail = (what: string, exit?: Exit) => settle(() => reject(failure(what, exit)))
      const listen = (text: string) => pattern.test(text) && settle(() => resolve(text))
      const timer = setTimeout(() => fail(`is not ready after ${timeoutMs} ms`), timeoutMs)
      const past = tail.find((text) => pattern.test(text))
      if (past) return settle(() => resolve(past))
      listeners.add(listen)
      exited.then((exit) => fail(`ended with ${describe(exit)}`, exit))
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
  /** How it ended, if it has. */
  readonly exit: Exit | undefined
  /** @param quote whether the message repeats the lines. */
  constructor(what: string, lines: string[], quote: boolean, exit?: Exit) {
    super(quote && lines.length ? `${what}:\n${lines.slice(-10).join('\n')}` : what)
    this.lines = [...lines]
    this.exit = exit
  }
}
