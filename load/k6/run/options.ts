/** The command line of `npm run load`. */
import { parseArgs } from 'node:util'

/** The scripts, and the question that each answers. */
export const scripts = {
  smoke: 'does everything that a customer can do work?',
  reserve: 'how long do customers wait on a busy day?',
  'last-copy': 'in a rush, are exactly as many copies promised as there are?',
  library: 'are customers who wait served in order while copies are lent and returned?',
  stress: 'beyond its capacity, does it degrade or fail?',
  spike: 'what do customers notice of a spike, and how soon is it over?',
  soak: 'after hours, has anything grown, slowed down or been lost?',
  autoscale: 'do replicas follow the load without customers noticing?',
} as const
export type ScriptName = keyof typeof scripts
export const scriptNames = Object.keys(scripts) as ScriptName[]

/** Short scripts with a fixed number of customers, which ignore `--seconds`. */
export const fixedLength: readonly ScriptName[] = ['smoke', 'last-copy']

export const list = scriptNames.map((name) => `  ${name.padEnd(10)} ${scripts[name]}`).join('\n')

export const help = `npm run load -- NAME [options]

Runs a k6 script of load/ against a running system, or starts one. Exits with 1 if a threshold was crossed. Writes
results to a folder: JSON, and an HTML report with graphs.

${list}

  --reservation URL   reservation service of the system, such as http://localhost:8081 (or RESERVATION_URL)
  --stock URL         its stock service, such as http://localhost:8082 (or STOCK_URL)
                      without these two, a system with its own stores is started, and stopped at the end
  --runtime NAME      node or deno, for the started system (node)
  --seconds N         shorten the script to N seconds, for a first look; ${fixedLength.join(' and ')} ignore it
  --rate N            customers per second at the peak; for last-copy, concurrent customers
  --out DIR           folder for the results (.data/load)
  --list              print the scripts
  --help              print this text
`

export type Options = {
  script: ScriptName
  /** If undefined, a system is started. */
  system: { reservationUrl: string; stockUrl: string } | undefined
  runtime: 'node' | 'deno'
  seconds: number | undefined
  rate: number | undefined
  out: string
}

/**
 * @returns the options, or the text of `--help` or `--list`.
 * @throws with one line for the user when an option is invalid.
 */
export function readOptions(args: string[], env: NodeJS.ProcessEnv): Options | string {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      reservation: { type: 'string' },
      stock: { type: 'string' },
      runtime: { type: 'string', default: 'node' },
      seconds: { type: 'string' },
      rate: { type: 'string' },
      out: { type: 'string', default: '.data/load' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.list) return list
  if (values.help) return help
  const script = scriptNames.find((name) => name === positionals[0])
  if (!script || positionals.length > 1)
    throw new Error(`Name one script: ${scriptNames.join(', ')}. Which answers what: npm run load -- --list`)
  const { runtime } = values
  if (runtime !== 'node' && runtime !== 'deno') throw new Error(`--runtime must be node or deno: ${runtime}`)
  const reservationUrl = values.reservation ?? env.RESERVATION_URL
  const stockUrl = values.stock ?? env.STOCK_URL
  if (!reservationUrl !== !stockUrl) throw new Error('Give both --reservation and --stock, or neither')
  return {
    script,
    system: reservationUrl && stockUrl ? { reservationUrl, stockUrl } : undefined,
    runtime,
    seconds: positive('seconds', values.seconds),
    rate: positive('rate', values.rate),
    out: values.out,
  }
}

function positive(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (value > 0) return value
  throw new Error(`--${name} must be a number above 0: ${text}`)
}
