/** The checks of the repository, one after the other, each announced and timed. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { root } from './root.ts'

export type Step = { name: string; command: [string, ...string[]] }

/** A program of a package, run by the runtime of this process: on Deno there may be no Node for its first line. */
export const packaged = (path: string): [string, string] => [
  process.execPath,
  join(root, 'node_modules', path),
]

export const lint: Step = { name: 'lint', command: [...packaged('@biomejs/biome/bin/biome'), 'check', '.'] }
/** The words of comments and docs (`english.ts`). */
export const english: Step = {
  name: 'English',
  command: [process.execPath, join(root, 'deploy/local/english.ts')],
}
export const types: Step = { name: 'types', command: [...packaged('typescript/bin/tsc'), '--noEmit'] }

/** @returns the exit code of the first step that failed, or 0. */
export async function runSteps(steps: Step[]): Promise<number> {
  for (const step of steps) {
    const since = performance.now()
    console.log(`▶ ${step.name}`)
    const code = await run(step)
    const seconds = ((performance.now() - since) / 1000).toFixed(1)
    console.log(`${code === 0 ? '✔' : '✘'} ${step.name} (${seconds} s)\n`)
    if (code !== 0) return code
  }
  return 0
}

async function run({ command: [command, ...args] }: Step): Promise<number> {
  const child = spawn(command, args, { cwd: root, stdio: 'inherit' })
  // Ctrl-C in a terminal reaches the step directly. Signals to only this process are forwarded.
  const pass = (signal: NodeJS.Signals) => void child.kill(signal)
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, pass)
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', reject).once('exit', (code) => resolve(code ?? 1))
    })
  } finally {
    for (const signal of signals) process.off(signal, pass)
  }
}
