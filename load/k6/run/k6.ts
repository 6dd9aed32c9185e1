/** k6 is not an npm package: this finds an installed one, or explains how to install it. */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { startChild } from '../../../deploy/local/processes/child.ts'
import { findProgram } from '../../../deploy/local/processes/program.ts'
import { Progress } from '../../../deploy/local/progress.ts'
import { K6Output } from './k6-output.ts'

export const k6Module = 'go.k6.io/k6@v1.8.1'

export const howToInstall = `Cannot find k6 on the PATH or among Go's programs. Install it in one of these ways:
  macOS     brew install k6
  Go        go install ${k6Module}
  others    https://grafana.com/docs/k6/latest/set-up/install-k6/`

/** @returns the path of k6: on the PATH, or among the programs of `go install`. */
export function findK6(): string | undefined {
  return findProgram('k6') ?? goPrograms().find((path) => existsSync(path))
}

function goPrograms(): string[] {
  const go = findProgram('go')
  if (!go) return []
  try {
    const [bin, path] = execFileSync(go, ['env', 'GOBIN', 'GOPATH'], { encoding: 'utf8' }).split('\n')
    return [bin, path && join(path, 'bin')].filter((dir) => dir).map((dir) => join(dir!, 'k6'))
  } catch {
    return []
  }
}

/** It writes its summary before it exits, even after a signal. */
const graceMs = 60_000

/** Elsewhere than on a terminal: a soak runs for hours. */
const progressEveryMs = 60_000

/**
 * @param env settings for the script, which k6 passes as `__ENV`.
 * @returns its exit code: 0, 99 if a threshold was crossed, another one if it could not run.
 * @throws the reason of the signal if it was aborted before.
 */
export async function runK6(
  k6: string,
  script: string,
  env: Record<string, string>,
  signal: AbortSignal,
): Promise<number> {
  signal.throwIfAborted()
  const progress = new Progress({ everyMs: progressEveryMs })
  const output = new K6Output(progress, (line) => console.log(line))
  const child = await startChild({
    name: 'k6',
    command: k6,
    args: ['run', script],
    env: { ...process.env, ...env },
    stopSignal: 'SIGINT',
    graceMs,
    onLine: output.line,
  })
  const stop = () => void child.stop()
  if (signal.aborted) stop()
  else signal.addEventListener('abort', stop, { once: true })
  const { code } = await child.exited
  progress.clear()
  return code ?? 1
}
