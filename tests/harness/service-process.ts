/** A service as a process, run as `npm start` runs it. The test sees its ports, logs and exit codes. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { leash } from '../../deploy/local/processes/leash.ts'
import { onLines } from '../../deploy/local/processes/lines.ts'
import { launch, type Runtime } from '../../deploy/local/service.ts'
import type { ProcessName } from '../../platform/config.ts'
import { eventually } from '../doubles/eventually.ts'

export type { Runtime }
export type LogLine = { level?: string; msg: string; [field: string]: unknown }
type Exit = { code: number | null; signal: NodeJS.Signals | null }

export const root = fileURLToPath(new URL('../../', import.meta.url))
const startTimeoutMs = 20_000
/** A graceful stop takes at most 10 s. */
const stopTimeoutMs = 12_000

export type ServiceSpec = {
  service: ProcessName
  runtime: Runtime
  /** The settings that differ from those of `npm start`. */
  env: Record<string, string | undefined>
  /** Absent: a free one. */
  port?: number
  /** The source tree to run. Absent: this one. */
  tree?: string
  /** Further arguments of the runtime. */
  runtimeArgs?: string[]
  /** A command to run instead of the runtime, with the same environment. It must pass signals on. */
  command?: [string, ...string[]]
}

export class ServiceProcess {
  readonly name: string
  readonly logs: LogLine[] = []
  #restarting = Promise.resolve()
  /** Unexpected exits. */
  readonly faults: string[] = []
  readonly #spec: ServiceSpec
  #child: ChildProcess | undefined
  #exit: Promise<Exit> | undefined
  #exited: Exit | undefined
  #exitWanted = false
  #paused = false
  #port = 0
  #opsPort = 0

  constructor(name: string, spec: ServiceSpec) {
    this.name = name
    this.#spec = spec
    this.#port = spec.port ?? 0
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** URL of probes, metrics and docs. */
  get opsUrl(): string {
    return `http://127.0.0.1:${this.#opsPort}`
  }

  get pid(): number {
    if (!this.#child?.pid) throw new Error(`${this.name} is not running`)
    return this.#child.pid
  }

  get running(): boolean {
    return this.#child !== undefined && this.#exited === undefined
  }

  /** Starts the process, on the port it had before if it had one, and returns once it is ready. */
  async start(): Promise<void> {
    await this.spawn()
    await this.#eventually('does not become ready', async () => {
      const answer = await fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(2_000) })
      return answer.ok
    })
  }

  /** Starts the process and returns once it listens. */
  async spawn(): Promise<void> {
    const { service, runtime, env: settings, tree = root, runtimeArgs: moreFlags = [] } = this.#spec
    const { command, args, cwd, env } = launch({ runtime, service, settings, tree, moreFlags })
    const [program, ...rest] = this.#spec.command ?? [command, ...args]
    const seen = this.logs.length
    this.#exitWanted = false
    this.#exited = undefined
    const child = spawn(program, rest, {
      cwd,
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        ...env,
        HOST: '127.0.0.1',
        PORT: String(this.#port),
        OPS_PORT: String(this.#opsPort),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    // An aborted test leaves no process behind.
    const letGo = leash(child.pid!, 'SIGKILL')
    this.#exit = once(child, 'close').then(([code, signal]) => {
      letGo()
      return this.#onExit({ code, signal })
    })
    onLines(child.stdout!, (line) => this.logs.push(toLogLine(line)))
    onLines(child.stderr!, (line) => this.logs.push({ level: 'stderr', msg: line }))
    const listening = await this.#eventually('does not log that it listens', () =>
      this.logs.slice(seen).find((line) => line.msg === 'listening'),
    )
    this.#port = Number(listening.port)
    this.#opsPort = Number(listening.opsPort)
  }

  /** SIGTERM. @throws when the process does not exit in time, or exits with another code than 0. */
  async stop(): Promise<void> {
    if (!this.running) return
    this.resume()
    this.#exitWanted = true
    this.#child!.kill('SIGTERM')
    const killer = setTimeout(() => this.#child!.kill('SIGKILL'), stopTimeoutMs)
    const { code, signal } = await this.#exit!
    clearTimeout(killer)
    if (code !== 0) throw new Error(`${this.name} was stopped and exited with ${signal ?? code}`)
  }

  /** SIGKILL: ends the process in the middle of its work. */
  async kill(): Promise<void> {
    if (!this.running) return
    this.#exitWanted = true
    this.#child!.kill('SIGKILL')
    await this.#exit
  }

  /** Sends a signal that makes the process exit at a point of its own choice, and waits for that. */
  async crash(signal: NodeJS.Signals): Promise<void> {
    this.#exitWanted = true
    this.#child!.kill(signal)
    await this.#exit
  }

  /** SIGKILL and restart. Calls are serialized, because a process that is still starting cannot be started again. */
  restart(): Promise<void> {
    this.#restarting = this.#restarting.then(() => this.kill()).then(() => this.start())
    return this.#restarting
  }

  /** SIGSTOP: freezes the process, with all connections open. */
  pause(): void {
    this.#paused = this.#child!.kill('SIGSTOP')
  }

  /** SIGCONT. */
  resume(): void {
    if (this.#paused) this.#child!.kill('SIGCONT')
    this.#paused = false
  }

  /** Stops reading the standard output of the process: its pipe fills up. */
  stopReading(): void {
    this.#child!.stdout!.pause()
  }

  goOnReading(): void {
    this.#child!.stdout!.resume()
  }

  /** The newest log lines, formatted for people. */
  tail(lines = 30): string {
    const shown = this.logs.slice(-lines).map((line) => JSON.stringify(line))
    return [`--- ${this.name}`, ...shown].join('\n')
  }

  /** Stops the process permanently. @returns its faults, now or before. */
  async finish(): Promise<string[]> {
    await this.stop().catch((error: Error) => this.faults.push(error.message))
    return this.faults
  }

  #onExit(exit: Exit): Exit {
    this.#exited = exit
    if (!this.#exitWanted) this.faults.push(`${this.name} exited by itself with ${exit.signal ?? exit.code}`)
    return exit
  }

  async #eventually<T>(what: string, probe: () => T | Promise<T>) {
    const hopeless = () => this.#exited && `it has exited with ${this.#exited.signal ?? this.#exited.code}`
    try {
      return await eventually(probe, { timeoutMs: startTimeoutMs, message: `${this.name} ${what}`, hopeless })
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${this.tail()}`, { cause: error })
    }
  }
}

function toLogLine(line: string): LogLine {
  try {
    const parsed: unknown = JSON.parse(line)
    if (typeof parsed === 'object' && parsed !== null && 'msg' in parsed) return parsed as LogLine
  } catch {
    // Runtimes print warnings that are not log lines.
  }
  return { level: 'stdout', msg: line }
}
