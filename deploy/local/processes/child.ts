/** A child process: its output lines, its exit, and a stop that always ends it. */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { killTree } from './kill-tree.ts'
import { leash } from './leash.ts'
import { onLines } from './lines.ts'

export type Exit = { code: number | null; signal: NodeJS.Signals | null }

type ChildOptions = {
  /** For messages. Default: the command. */
  name?: string
  command: string
  args: string[]
  env?: NodeJS.ProcessEnv
  cwd?: string
  /** The user to run as, when root starts a program that must not run as root. */
  user?: { uid: number; gid: number }
  /** Asks it to stop; `SIGKILL` follows after `graceMs`. */
  stopSignal?: NodeJS.Signals
  graceMs?: number
  /** Its standard input. Default: none. */
  input?: string
  /** File descriptors that it inherits, from 3 on. */
  inherit?: number[]
  /** Called for each line. Without it, the last lines become part of the error when it fails. */
  onLine?: (line: string) => void
}

export type Child = {
  pid: number
  exited: Promise<Exit>
  /** The last lines of its output, oldest first. */
  tail(): string[]
  kill(signal: NodeJS.Signals): void
  stop(): Promise<Exit>
  /** Never resolves. @throws {ChildError} when it ends. */
  ends(): Promise<never>
  /** Resolves with the first line that matches. @throws {ChildError} when it ends, or takes too long. */
  line(pattern: RegExp, timeoutMs: number): Promise<string>
}

const tailLines = 30

/** Pids of running children of this process. */
const running = new Set<number>()

/** Kills every child with all its descendants at once, so that none of them writes any more. */
export function killAll(): void {
  for (const pid of running) killTree(pid)
}

/** @throws {Error} when the command cannot be run. */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { command, name = command, args, env, cwd, user, stopSignal = 'SIGTERM', graceMs = 10_000 } = options
  const { input, inherit = [] } = options
  const process = spawn(command, args, {
    env,
    cwd,
    ...user,
    // In its own session, so that Ctrl-C reaches only the starter, which then stops everything in order.
    detached: true,
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', ...inherit],
  }) as ChildProcess
  await new Promise((resolve, reject) => process.once('spawn', resolve).once('error', reject))
  const pid = process.pid!
  const release = leash(pid, stopSignal)
  running.add(pid)
  // It may exit without reading its input; its exit code says enough.
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
    release()
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

/** Resolves when the process is gone and all its output was read. */
async function ended(process: ChildProcess, onLine: (line: string) => void): Promise<Exit> {
  const exit = new Promise<Exit>((resolve) =>
    process.once('exit', (code, signal) => resolve({ code, signal })),
  )
  await Promise.all([exit, read(process.stdout!, onLine, exit), read(process.stderr!, onLine, exit)])
  return exit
}

/** Resolves at the end of the stream, or shortly after the exit, because a grandchild may keep the pipe open. */
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
  /** Set if it has ended. */
  readonly exit: Exit | undefined
  /** @param quote whether the message includes the lines. */
  constructor(what: string, lines: string[], quote: boolean, exit?: Exit) {
    super(quote && lines.length ? `${what}:\n${lines.slice(-10).join('\n')}` : what)
    this.lines = [...lines]
    this.exit = exit
  }
}
