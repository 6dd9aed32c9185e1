/** The table of a campaign, and the report of a failure. */
import type { Result } from './run.ts'

const columns = [
  'scenario',
  'seed',
  'ok',
  'fail',
  'unknown',
  'accepted',
  'retried',
  'p99',
  'decided',
  'quiet',
  'violations',
]
const shownMax = 5

/** The meaning of the columns. */
export const legend = `ok, fail, unknown: all requests of the run. accepted: share of the reservations requested during the fault, at once;
retried: of those with a key, at once or after one retry. p99: of those accepted. decided: from healing until all accepted
reservations had outcomes. quiet: from the last request until no work was left.`

export function tableOf(results: Result[]): string {
  const rows = [columns, columns.map(() => '---'), ...results.map(rowOf)]
  const widths = columns.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)))
  return rows
    .map((row) => {
      const cells = row.map((cell, at) =>
        cell === '---' ? '-'.repeat(widths[at]!) : pad(cell, widths[at]!, at),
      )
      return `| ${cells.join(' | ')} |`
    })
    .join('\n')
}

/** Names are left-aligned, figures right-aligned. */
const pad = (cell: string, width: number, at: number) =>
  at === 0 || at === columns.length - 1 ? cell.padEnd(width) : cell.padStart(width)

function rowOf({ scenario, seed, requests, availability, quietMs, violations }: Result): string[] {
  const { accepted, acceptedAfterRetry, p99Ms, recovery } = availability
  return [
    scenario.name,
    String(seed),
    String(requests.ok),
    String(requests.fail),
    String(requests.unknown),
    percent(accepted),
    percent(acceptedAfterRetry),
    `${p99Ms.toFixed(0)} ms`,
    seconds(recovery.decidedMs),
    seconds(quietMs),
    violations.length === 0 ? '0' : violations.map(({ check }) => check).join('; '),
  ]
}

const percent = (share: number) => `${(Math.floor(share * 1_000) / 10).toFixed(1)} %`
const seconds = (ms: number) => (Number.isFinite(ms) ? `${(ms / 1_000).toFixed(1)} s` : 'never')

/** Each failed check, with the first places of failure. */
export function failureOf({ scenario, seed, violations, kept }: Result): string {
  const lines = violations.flatMap(({ check, where }) => [
    `  ${check}: ${where.length} times`,
    ...where.slice(0, shownMax).map((it) => `    ${it}`),
  ])
  return [
    `${scenario.name}, seed ${seed}:`,
    ...lines,
    `  History, logs and databases are in ${kept}`,
    `  Again: npm run faults -- --scenario ${scenario.name} --seed ${seed}`,
  ].join('\n')
}
