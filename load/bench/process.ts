/** A server under measurement. It writes its log to a file itself: a pipe would be read at the client's expense. */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, type Exit, startChild } from '../../deploy/local/child.ts'
import { freePort } from '../../deploy/local/free-port.ts'
import { type Usage, usageOf } from './usage.ts'

export type MeasuredProcess = {
  name: string
  port: number
  /** Of its metrics, if it is one of our services. */
  opsPort: number
  /** @throws with its exit and the end of its log when it has ended by itself. */
  usage(): Usage
  stop(): Promise<void>
}

export type ProcessOptions = {
  name: string
  command: string[]
  /** Added to the environment, beside `PORT` and `OPS_PORT`. */
  env: Record<string, string>
  /** Standard output and error go there. */
  logFile: string
  /** Where it listens; a free port, named to it as `PORT`, unless given. */
  port?: number
  /** Whether it serves. Absent: `/readyz` answers 200. */
  ready?(port: number): Promise<boolean>
}

const readyMaxMs = 20_000
const pollMs = 50

/** @returns once it is ready. @throws with the end of the log when it does not. */
export async function startProcess(options: ProcessOptions): Promise<MeasuredProcess> {
  const { name, command, env, logFile, ready = isReady } = options
  const port = options.port ?? (await freePort())
  const opsPort = await freePort()
  const child = await startChild({
    name,
    command: '/bin/sh',
    args: ['-c', 'exec "$@" >>"$LOG_FILE" 2>&1', 'sh', ...command],
    env: { ...process.env, ...env, PORT: String(port), OPS_PORT: String(opsPort), LOG_FILE: logFile },
  })
  let exit: Exit | undefined
  void child.exited.then((it) => {
    exit = it
  })
  const fail = (what: string) => new Error(`${name} ${what}\n${readFileSync(logFile, 'utf8').slice(-2_000)}`)
  const usage = () => {
    if (exit) throw fail(`ended with ${describe(exit)}`)
    return usageOf(child.pid)
  }
  try {
    for (const deadline = performance.now() + readyMaxMs; !(await ready(port)); await sleep(pollMs)) {
      usage()
      if (performance.now() > deadline) throw fail(`is not ready after ${readyMaxMs} ms`)
    }
  } catch (error) {
    await child.stop()
    throw error
  }
  return { name, port, opsPort, usage, stop: async () => void (await child.stop()) }
}

const isReady = (port: number) => answersOk(`http://127.0.0.1:${port}/readyz`)

export async function answersOk(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok
  } catch {
    return false
  }
}
