/** The results of k6, as a table and as JSON. Pure except for the settings. */
import { settings } from './settings.ts'

type Metric = {
  type: string
  /** The unit of a trend. */
  contains?: string
  values: Record<string, number>
  thresholds?: Record<string, { ok: boolean }>
}
export type Data = { metrics: Record<string, Metric>; state: { testRunDurationMs: number } }

/** For the `handleSummary` of a script: prints the table, and writes the JSON to the file of the settings. */
export const summaryOf =
  (script: string) =>
  (data: Data): Record<string, string> => ({
    stdout: `\n${textOf(script, data)}\n`,
    ...(settings.resultsFile && {
      [settings.resultsFile]: `${JSON.stringify({ script, ...data }, null, 2)}\n`,
    }),
  })

export function textOf(script: string, { metrics: found, state }: Data): string {
  // k6 passes them in any order.
  const metrics = Object.fromEntries(inOrder(found))
  const seconds = state.testRunDurationMs / 1000
  const broken = Object.values(metrics)
    .flatMap((metric) => Object.values(metric.thresholds ?? {}))
    .filter(({ ok }) => !ok).length
  const crossed = broken === 1 ? '1 threshold was crossed' : `${broken} thresholds were crossed`
  const verdict = broken === 0 ? 'every threshold held' : crossed
  const times = trendRows(metrics, seconds, ({ contains }) => contains === 'time')
  const others = trendRows(metrics, seconds, ({ contains }) => contains !== 'time')
  const iterations = count(metrics.iterations?.values.count ?? 0)
  return [
    `${script}: ${iterations} iterations in ${seconds.toFixed(1)} s, ${verdict}`,
    table(['', 'count', '/s', 'p50 ms', 'p95 ms', 'p99 ms', 'max ms'], times),
    ...(others.length ? [table(['', 'count', '/s', 'p50', 'p95', 'p99', 'max'], others)] : []),
    table(['', 'count', '/s'], counterRows(metrics, seconds)),
    table(['thresholds', '', 'found'], thresholdRows(metrics)),
  ].join('\n\n')
}

const requests = /^http_req_duration\{name:(.+)\}$/

function trendRows(metrics: Data['metrics'], seconds: number, isIn: (metric: Metric) => boolean): string[][] {
  const shown = Object.entries(metrics)
    .filter(([name, it]) => it.type === 'trend' && isIn(it) && (requests.test(name) || isOurs(name)))
    .map(([name, { values }]) => ({ name: labelOf(name), values }))
    .filter(({ values }) => (values.count ?? 1) > 0)
  return shown.map(({ name, values }) => {
    const figures = ['med', 'p(95)', 'p(99)', 'max'].map((key) => oneDigit(values[key]))
    const often = values.count
    return [name, often === undefined ? '' : count(often), perSecond(often, seconds), ...figures]
  })
}

/** The name of a request or of a metric, then its phase and other tags. */
function labelOf(metric: string): string {
  const request = requests.exec(metric)?.[1]
  return request ? request.replace(',phase:', ', ') : metric.replaceAll('_', ' ')
}

function counterRows(metrics: Data['metrics'], seconds: number): string[][] {
  return Object.entries(metrics)
    .filter(([name, { type }]) => type === 'counter' && (isOurs(name) || name === 'dropped_iterations'))
    .map(([name, { values }]) => [
      name.replaceAll('_', ' '),
      count(values.count ?? 0),
      perSecond(values.count, seconds),
    ])
}

function thresholdRows(metrics: Data['metrics']): string[][] {
  return Object.entries(metrics).flatMap(([name, { values, thresholds = {} }]) =>
    inOrder(thresholds).map(([threshold, { ok }]) => {
      const found = values[/^[a-z]+(\(\d+(\.\d+)?\))?/.exec(threshold)?.[0] ?? '']
      return [`${ok ? '✓' : '✗'} ${name}`, threshold, found === undefined ? '' : figure(found)]
    }),
  )
}

const inOrder = <Value>(named: Record<string, Value>) =>
  Object.entries(named).sort(([one], [other]) => (one < other ? -1 : 1))

/** Prefixes of k6's own metrics. */
const isOurs = (name: string) =>
  !/^(http_|iteration|vus|data_|group_|checks|dropped_|ws_|grpc_|browser_)/.test(name)

function table(head: string[], rows: string[][]): string {
  const lines = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)))
  const cell = (text: string, column: number) =>
    column === 0 ? text.padEnd(widths[column]!) : text.padStart(widths[column]!)
  return lines.map((line) => `  ${line.map(cell).join('   ').trimEnd()}`).join('\n')
}

/** Not `toLocaleString`, because the engine of k6 has no locales. */
const count = (value: number) => String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',')
const oneDigit = (value: number | undefined) => (value === undefined ? '' : value.toFixed(1))
const perSecond = (often: number | undefined, seconds: number) =>
  often === undefined ? '' : (often / seconds).toFixed(1)
const figure = (value: number) =>
  Number.isInteger(value) ? count(value) : String(Number(value.toPrecision(4)))
