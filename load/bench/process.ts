/** A server under measurement. It writes its log to a file, because reading a pipe would cost the client CPU. */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, type Exit, startChild } from '../../deploy/local/processes/child.ts'
import { freePort } from '../../deploy/local/processes/free-port.ts'
import { root } from '../../deploy/local/root.ts'
import { type Usage, usageOf } from './usage.ts'

export type MeasuredProcess = {
  name: string
  port: number
  /** The port of its metrics, if it is one of our services. */
  opsPort?: number
  /** @throws with the end of its log if it has exited by itself. */
  usage(): Usage
  stop(): Promise<void>
}

type LoggedOptions = {
  name: string
  command: string[]
  /** Added to the environment. */
  env: NodeJS.ProcessEnv
  cwd?: string
  /** Receives standard output and error. */
  logFile: string
  /** Sends the output to a pipe that another process empties. The last lines reach the file when it ends. */
  piped?: boolean
  ready(): Promise<boolean>
  readyMaxMs?: number
}

export type Logged = { pid: number; check(): void; fail(what: string): Error; stop(): Promise<void> }

const toFile = 'exec "$@" >>"$LOG_FILE" 2>&1'
const toPipe = `[ -p "$LOG_FILE.pipe" ] || mkfifo "$LOG_FILE.pipe"
tail -c 20000 <"$LOG_FILE.pipe" >>"$LOG_FILE" 2>/dev/null &
exec "$@" >"$LOG_FILE.pipe" 2>&1`
/** How long the last lines of a pipe take to reach the file. */
const tailMs = 200

const startMaxMs = 20_000
const graceMs = 20_000
const pollMs = 50

/** Resolves when it is ready. @throws with the end of the log when it does not become ready. */
export async function startLogged(options: LoggedOptions): Promise<Logged> {
  const { name, command, env, cwd = root, logFile, piped, ready, readyMaxMs = startMaxMs } = options
  const child = await startChild({
    name,
    command: '/bin/sh',
    args: ['-c', piped ? toPipe : toFile, 'sh', ...command],
    cwd,
    env: { ...process.env, ...env, LOG_FILE: logFile },
    graceMs,
  })
  let exit: Exit | undefined
  void child.exited.then((it) => {
    exit = it
  })
  const fail = (what: string) => new Error(`${name} ${what}\n${readFileSync(logFile, 'utf8').slice(-2_000)}`)
  const check = () => {
    if (exit) throw fail(`ended with ${describe(exit)}`)
  }
  const stop = async () => {
    await child.stop()
    if (piped) await sleep(tailMs)
  }
  const deadline = performance.now() + readyMaxMs
  while (!(await ready())) {
    if (exit || performance.now() > deadline) {
      await stop()
      check()
      throw fail(`is not ready after ${readyMaxMs} ms`)
    }
    await sleep(pollMs)
  }
  return { pid: child.pid, check, fail, stop }
}

type ProcessOptions = Pick<LoggedOptions, 'name' | 'command' | 'env' | 'logFile'> & {
  /** The port to listen on, passed as `PORT`. Default: a free one. */
  port?: number
  /** Whether it is ready. Default: `/readyz` answers 200. */
  ready?(port: number): Promise<boolean>
}

/** Starts a server of one process. @throws with the end of the log when it does not become ready. */
export async function startProcess(options: ProcessOptions): Promise<MeasuredProcess> {
  const { name, command, env, logFile, ready = isReady } = options
  const port = options.port ?? (await freePort())
  const { pid, check, stop } = await startLogged({
    ...{ name, command, env: { ...env, PORT: String(port) }, logFile },
    ready: () => ready(port),
  })
  const usage = () => {
    check()
    return usageOf(pid)
  }
  return { name, port, usage, stop }
}

export const isReady = (port: number): Promise<boolean> => answersOk(`http://127.0.0.1:${port}/readyz`)

export async function answersOk(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok
  } catch {
    return false
  }
}
