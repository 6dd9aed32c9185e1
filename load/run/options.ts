/** The command line of `npm run load`. */
import { parseArgs } from 'node:util'

/** Which script answers which question. */
export const scripts = {
  smoke: 'does everything a customer can do work at all?',
  reserve: 'how long do customers wait on a busy day?',
  'last-copy': 'are exactly as many copies promised as there are, in a rush?',
  stress: 'beyond what it can carry, does it bend or break?',
  spike: 'how do customers fare in a spike, and how soon is all as before?',
  soak: 'after hours, has anything grown, slowed down or been lost?',
  autoscale: 'do replicas come and go with the load, unnoticed?',
} as const
export type ScriptName = keyof typeof scripts
export const scriptNames = Object.keys(scripts) as ScriptName[]

/** These take as long as their customers do, whatever the seconds; and that is short. */
export const unsqueezable: readonly ScriptName[] = ['smoke', 'last-copy']

export const list = scriptNames.map((name) => `  ${name.padEnd(10)} ${scripts[name]}`).join('\n')

export const help = `npm run load -- NAME [options]

Runs one of the k6 scripts in load/ against a system that runs, or starts one for it. Ends with 1 when a threshold
was crossed. Results go to a folder: JSON, and an HTML report with graphs.

${list}

  --reservation URL   of the system to load, as of \`npm start\`: http://localhost:8081 (or RESERVATION_URL)
  --stock URL         likewise: http://localhost:8082 (or STOCK_URL)
                      without these two, a system is started, with stores of its own, and stopped again
  --runtime NAME      node or deno, for the system that is started (node)
  --seconds N         squeezes the script into so many seconds, for a first look; ${unsqueezable.join(' and ')} stay as they are
  --rate N            customers a second at the peak; of last-copy, customers at once
  --out DIR           where results go (.data/load)
  --list              the scripts alone
  --help              this text
`

export type Options = {
  script: ScriptName
  /** Absent: one is started. */
  system: { reservationUrl: string; stockUrl: string } | undefined
  runtime: 'node' | 'deno'
  seconds: number | undefined
  rate: number | undefined
  out: string
}

/**
 * @returns the text that was asked for instead of a run, or the options.
 * @throws with a line for the user when one is not understood.
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
