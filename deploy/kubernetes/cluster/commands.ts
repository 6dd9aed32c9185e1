/** Commands that the cluster is built from, with their progress. */
import { type SpawnOptions, spawn } from 'node:child_process'

const shownEveryMs = 30_000

export type RunOptions = SpawnOptions & {
  /** For long commands, a line about the work: printed at once, again every 30 s, and with the time that it took. */
  saying?: string
  /** Written to its standard input. */
  input?: string
}

/** @returns what the command printed. @throws with its error output when it fails. */
export async function run(
  command: string,
  args: string[],
  { saying, input, ...options }: RunOptions = {},
): Promise<string> {
  const since = performance.now()
  const seconds = () => Math.round((performance.now() - since) / 1000)
  if (saying) console.log(`${saying} …`)
  const timer = saying && setInterval(() => console.log(`  ${seconds()} s`), shownEveryMs)
  try {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], ...options })
    let out = ''
    let err = ''
    child.stdout?.on('data', (chunk) => {
      out += chunk
    })
    child.stderr?.on('data', (chunk) => {
      err += chunk
    })
    child.stdin?.on('error', () => {})
    child.stdin?.end(input ?? '')
    const code = await new Promise<number | null>((resolve, reject) =>
      child.once('error', reject).once('close', resolve),
    )
    if (code !== 0) throw new Error(`${[command, ...args].join(' ')} failed (${code}): ${tail(err || out)}`)
    if (saying) console.log(`  done in ${seconds()} s`)
    return out.trim()
  } finally {
    if (timer) clearInterval(timer)
  }
}

const tail = (text: string) => text.trim().split('\n').slice(-12).join('\n')
