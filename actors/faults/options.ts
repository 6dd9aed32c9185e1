/** The command line of the campaign. */
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'

export type Options = {
  /** Names of scenarios, or their beginnings. None: all. */
  scenarios: string[]
  seed: number
  seeds: number
  minutes: number | undefined
  secondsMax: number
  /** A checkout of an older version, installed. */
  from: string | undefined
  mode: 'campaign' | 'quick' | 'planted' | 'list'
}

export const help = `npm run faults -- [options]

Starts a Postgres, a Redis, a mail server, a webhook receiver and the services as processes of its own, hurts them under
load, heals them, waits until all is quiet, and checks that nothing accepted was lost and nothing happened twice. Prints
a table; ends with 1 when something did not hold, and then keeps history, logs and databases and says where.

  --scenario NAMES  a comma-separated choice of scenarios (or planted bugs), by their beginnings (all)
  --seed N          what chance begins with (by the clock; printed)
  --seeds N         runs of each scenario, with seeds that follow each other (1)
  --minutes N       goes on with further seeds until so much time has passed
  --longest N       seconds that a single fault may last (12)
  --from DIR        a checkout of an older version, installed: for the scenario in which this one takes its place
  --quick           the five likeliest faults, in less than a minute
  --planted         plants bugs in a copy of the code and shows which check catches each
  --list            the scenarios
  --help            this text
`

/** @throws with a line for the user when an option is not understood. Undefined: help was asked for. */
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
