/** The command line of `npm run fuzz`. */
import { parseArgs } from 'node:util'

export type Options = {
  /** Minimum number of cases, over all services. */
  cases: number
  seed: number
  runtime: 'node' | 'deno'
}

export const help = `npm run fuzz -- [options]

Starts the whole system as npm start does, with stores and data of its own, and has Schemathesis make requests from the OpenAPI
documents of the three services: some that fit them, some that break them. An answer of 5xx, one that its document does
not name or describe, and input that is taken although the document forbids it are failures. Prints a summary; ends
with 1 after a failure, and then says where the reports are.

  --cases N       requests that are made at least (20000)
  --seed N        what chance begins with (by the clock; printed)
  --runtime NAME  node or deno: what runs the services (node)
  --help          this text
`

/** @returns undefined for `--help`. @throws with a line for the user when an option is invalid. */
export function readOptions(args: string[], clock = Date.now()): Options | undefined {
  const { values } = parseArgs({
    args,
    options: {
      cases: { type: 'string', default: '20000' },
      seed: { type: 'string', default: String(clock % 100_000) },
      runtime: { type: 'string', default: 'node' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return undefined
  const { runtime } = values
  if (runtime !== 'node' && runtime !== 'deno') throw new Error(`--runtime must be node or deno: ${runtime}`)
  return {
    cases: wholeWithin('cases', values.cases, 1, 10_000_000),
    seed: wholeWithin('seed', values.seed, 0, 2 ** 32 - 1),
    runtime,
  }
}

function wholeWithin(name: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (!(Number.isInteger(value) && value >= min && value <= max))
    throw new Error(`--${name} must be a whole number from ${min} to ${max}: ${text}`)
  return value
}
