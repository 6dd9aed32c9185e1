/** The command line of `npm run compare`. */
import { parseArgs } from 'node:util'
import { patterns } from '../bench/books.ts'
import { integerWithin, shared, sharedOf, someOf } from '../bench/options.ts'
import { contenderNames } from './contenders.ts'

export type Options = NonNullable<ReturnType<typeof readOptions>>

export const help = `npm run compare -- [options]

Compares nine ways to do the same work: reserve a book that is in stock, and decide within the request. They run in turn
on this machine, each alone, on one Postgres and one Redis. Prints a table of medians and writes results.json,
results.md and results.svg. Exits with 1 if a contender fails, which is then left out, or if its books do not add up.

  --targets NAMES   a comma-separated choice of ${contenderNames.join(', ')} (all)
  --workloads NAMES a comma-separated choice of ${patterns.join(', ')} (all): one book for all, each equally
                    often, or by Zipf's law
  --clients LIST    numbers of clients, a comma-separated list (1,16,64,256)
  --books N         books of even and zipf (10000)
  --seconds N       measured time of each run (10)
  --warmup N        seconds of load before that (2)
  --rounds N        how often each run is repeated (3)
  --check           exit with 1 also if a goal is missed
  --kill-redis N    instead, kill Redis N times alone and N times with its machine, under the product and under the
                    script in Redis, and print the lost reservations. Exits with 1 if the product lost any
  --out DIR         folder for the results (.data/compare)
  --keep            keep data and logs of the run in .data
  --help            print this text
`

/** @returns undefined for `--help`. @throws with one line for the user when an option is invalid. */
export function readOptions(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      targets: { type: 'string', default: contenderNames.join(',') },
      workloads: { type: 'string', default: patterns.join(',') },
      clients: { type: 'string', default: '1,16,64,256' },
      ...shared,
      'kill-redis': { type: 'string' },
      out: { type: 'string', default: '.data/compare' },
    },
  })
  if (values.help) return undefined
  const clients = values.clients.split(',').map((text) => integerWithin('clients', text, 1, 10_000))
  const kills = values['kill-redis']
  return {
    ...sharedOf(values),
    /** How often Redis is killed, instead of a comparison. */
    kills: kills === undefined ? undefined : integerWithin('kill-redis', kills, 1, 1_000),
    contenders: someOf('targets', values.targets, contenderNames),
    patterns: someOf('workloads', values.workloads, patterns),
    clients: [...new Set(clients)].sort((a, b) => a - b),
    /** The folder for the results. */
    out: values.out,
  }
}
