/** `npm run demo`: shows the promises of the README on a system of its own, which it breaks on purpose. */
import { parseArgs } from 'node:util'
import { serviceNames } from '../../platform/config.ts'
import { onSignals } from '../local/processes/signals.ts'
import type { Act } from './acts/act.ts'
import { notices } from './acts/notices.ts'
import { outage } from './acts/outage.ts'
import { rush } from './acts/rush.ts'
import { People } from './people.ts'
import { BrokenPromise, Stage } from './stage.ts'
import { type DemoSystem, startSystem } from './system.ts'

const acts: Act[] = [rush, outage, notices]

const help = `Shows in about a minute what this system promises, on a system of its own that it breaks on purpose:

  npm run demo [-- --fast]

  1. 100 customers reserve 3 copies at the same moment
  2. stock is killed, and Redis loses everything, while customers reserve
  3. the notifier is killed, and misses a decision

Each promise is checked: the exit code is 1 if one does not hold. It runs beside npm start, and leaves nothing behind.

  --fast  without time to read`

/** Leases and repetitions that are shorter than those of \`npm start\`, for a demo without spectators. */
const fastSettings = { LEASE_TTL_MS: '1000', RESEND_AFTER_MS: '300' }
const interrupted = 130
/** Printed of each service when the demo fails. */
const warningsMax = 5

const { fast, help: wantsHelp } = readArguments()
if (wantsHelp) console.log(help)
else await main()

async function main(): Promise<void> {
  // A forced exit waits for nothing: all children end with this process (`leash.ts`).
  const signal = onSignals(() => process.exit(interrupted))
  const stage = new Stage({ stream: process.stdout, readingMs: fast ? 0 : 40, signal })
  let system: DemoSystem | undefined
  try {
    await using stack = new AsyncDisposableStack()
    const startedAt = performance.now()
    stage.title('A book reservation system you can trust with the last copy')
    await stage.say('Starting a system for this demo: Postgres, Redis and three services.')
    system = await startSystem(fast ? fastSettings : {}, stack, signal)
    const people = new People(system.urls, signal)
    for (const act of acts) {
      stage.title(act.title)
      await act.play({ stage, system, people, betweenMs: fast ? 0 : 120, signal })
    }
    stage.summary()
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0)
    await stage.say(`All promises held, in ${seconds} s. npm start runs the system for you.`)
  } catch (error) {
    stage.clear()
    if (signal.aborted) {
      console.error('Stopped. The demo and its data are gone.')
      process.exitCode = interrupted
      return
    }
    process.exitCode = 1
    for (const service of serviceNames) {
      const warnings = system?.linesOf(service).filter((line) => !line.startsWith('{"level":"info"')) ?? []
      for (const line of warnings.slice(-warningsMax)) console.error(`${service}: ${line}`)
    }
    if (error instanceof BrokenPromise) console.error(`✘ A promise does not hold. ${error.message}`)
    else console.error(`The demo cannot go on: ${(error as Error).message}`)
  }
}

function readArguments(): { fast: boolean; help: boolean } {
  try {
    const { values } = parseArgs({
      options: {
        fast: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    return values
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${help}`)
    process.exit(1)
  }
}
