/** A server under measurement. It writes its log to a file itself: a pipe would be read at the client's expense. */
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { startChild } from '../deploy/local/child.ts'
import { freePort } from '../deploy/local/free-port.ts'

export type MeasuredProcess = {
  name: string
  pid: number
  port: number
  stop(): Promise<void>
}

export type ProcessOptions = {
  name: string
  command: string[]
  /** Added to the environment, beside `PORT`. */
  env: Record<string, string>
  /** Standard output and error go there. */
  logFile: string
}

const readyMaxMs = 20_000

/** @returns once `/readyz` answers 200. @throws with the end of the log when it does not. */
export async function startProcess(options: ProcessOptions): Promise<MeasuredProcess> {
  const { name, command, env, logFile } = options
  const port = await freePort()
  const child = await startChild({
    command: '/bin/sh',
    args: ['-c', 'exec "$@" >>"$LOG_FILE" 2>&1', 'sh', ...command],
    env: { ...process.env, ...env, PORT: String(port), LOG_FILE: logFile },
  })
  let ended = false
  void child.exited.then(() => {
    ended = true
  })
  const deadline = performance.now() + readyMaxMs
  while (!(await isReady(port))) {
    if (!ended && performance.now() < deadline) {
      await sleep(50)
      continue
    }
    await child.stop()
    throw new Error(
      `Cannot start ${name}: ${command.join(' ')}\n${(await readFile(logFile, 'utf8')).slice(-2_000)}`,
    )
  }
  return { name, pid: child.pid, port, stop: async () => void (await child.stop()) }
}

async function isReady(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(2_000) })).ok
  } catch {
    return false
  }
}
