/** `npm run pages`: pictures of the pages, and how fast they are, on a system of their own. */
import { parseArgs } from 'node:util'
import { onSignals } from '../local/processes/signals.ts'
import { runCommand } from '../ops/command.ts'
import { openLibrary, readers } from './library.ts'
import { measure } from './measure.ts'
import { takeScreenshots } from './screenshots.ts'

const help = `Runs the pages as npm start does, beside any other system, with 200 books and ${readers} reservations of its own.

  npm run pages -- measure       the time of each page, the CPU that open pages cost while nothing changes, and the memory of web
  npm run pages -- screenshots   the pictures of the README, in docs/images

  --requests N   of each page that is measured (100)
  --pages N      that are open (200)
  --seconds N    for which the CPU is measured, with and without open pages (20)

measure exits with 1 if a page takes 20 ms or more at the median, if the open pages cost 5 % of a core or more, or if web takes 200 MB.`

await runCommand(main)

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      requests: { type: 'string', default: '100' },
      pages: { type: 'string', default: '200' },
      seconds: { type: 'string', default: '20' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  const [name, ...more] = positionals
  if (values.help) return console.log(help)
  if (more.length > 0 || (name !== 'measure' && name !== 'screenshots'))
    throw new Error('Name one of measure and screenshots: npm run pages -- --help')
  const options = {
    requests: numberOf('requests', values.requests),
    pages: numberOf('pages', values.pages),
    seconds: numberOf('seconds', values.seconds),
  }
  // A forced exit waits for nothing: all children end with this process (`leash.ts`).
  const signal = onSignals(() => process.exit(1))
  await using stack = new AsyncDisposableStack()
  const work = async () => {
    const library = await openLibrary(stack)
    if (name === 'screenshots') return await takeScreenshots(library)
    if (!(await measure(library, options))) process.exitCode = 1
  }
  await Promise.race([work(), aborted(signal)])
}

/** Never resolves. @throws the reason when the signal is aborted. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
  )
}

function numberOf(name: string, text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > 10_000)
    throw new Error(`--${name} must be a whole number from 1 to 10000: ${text}`)
  return value
}
