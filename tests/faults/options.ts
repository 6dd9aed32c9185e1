/** The command line of the campaign. */
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'

export type Options = {
  /** Names or prefixes of scenarios. None: all. */
  scenarios: string[]
  seed: number
  seeds: number
  minutes: number | undefined
  secondsMax: number
  /** A checkout of an older version, installed. */
  from: string | undefined
  /** Whether callers need tokens. */
  identity: boolean
  mode: 'campaign' | 'quick' | 'planted' | 'list'
}

export const help = `npm run faults -- [options]

Starts its own Postgres, Redis, mail server, webhook receiver and services, injects faults under load, heals them, waits until
all work is done, and checks that nothing accepted was lost and nothing happened twice. Prints a table. If a check fails, it exits
with 1, keeps history, logs and databases, and prints where.

  --scenario NAMES  comma-separated prefixes of the scenarios (or planted bugs) to run (all)
  --seed N          seed of the random numbers (from the clock; printed)
  --seeds N         runs of each scenario, with consecutive seeds (1)
  --minutes N       continue with further seeds until this much time has passed
  --longest N       the longest single fault in seconds (12)
  --from DIR        an installed checkout of an older version, for the scenario that upgrades it to this one
  --identity        callers need tokens (IDENTITY=on), which all clients send
  --quick           the three most likely faults, in less than a minute
  --planted         plant bugs in a copy of the code and show which check catches each
  --list            print the scenarios
  --help            print this text
`

/** @returns undefined for `--help`. @throws with a line for the user when an option is invalid. */
export function readOptions(args: string[], clock = Date.now()): Options | undefined {
  const { values } = parseArgs({
    args,
    options: {
      scenario: { type: 'string' },
      seed: { type: 'string', default: String(clock % 100_000) },
      seeds: { type: 'string', default: '1' },
      minutes: { type: 'string' },
      longest: { type: 'string' },
      from: { type: 'string' },
      identity: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      planted: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const { quick, planted, list } = values
  if (Number(quick) + Number(planted) + Number(list) > 1)
    throw new Error('Choose one of --quick, --planted and --list')
  return {
    scenarios: values.scenario?.split(',').map((name) => name.trim()) ?? [],
    seed: wholeWithin('seed', values.seed, 0, 2 ** 32 - 1),
    seeds: wholeWithin('seeds', values.seeds, 1, 1_000),
    minutes: values.minutes === undefined ? undefined : wholeWithin('minutes', values.minutes, 1, 10_000),
    secondsMax: wholeWithin('longest', values.longest ?? (quick ? '2' : '12'), 1, 120),
    identity: values.identity,
    from: values.from === undefined ? undefined : `${resolve(values.from)}/`,
    mode: quick ? 'quick' : planted ? 'planted' : list ? 'list' : 'campaign',
  }
}

function wholeWithin(name: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (!(Number.isInteger(value) && value >= min && value <= max))
    throw new Error(`--${name} must be a whole number from ${min} to ${max}: ${text}`)
  return value
}
