/** The result of all runs over the document of one service. */
import type { ServiceName } from '../../platform/config.ts'

export type Sum = {
  service: ServiceName
  cases: number
  /** Failures that Schemathesis found. */
  failures: ReadonlySet<string>
  /** Responses by status, as the service itself counts them. */
  answers: ReadonlyMap<number, number>
}

const counter = /^http_request_duration_seconds_count\{.*\bstatus="(\d{3})".*\} (\d+)$/gm

/** @param metrics of a service, as Prometheus reads them. */
export function answersOf(metrics: string): Map<number, number> {
  const answers = new Map<number, number>()
  for (const [, status, count] of metrics.matchAll(counter))
    answers.set(Number(status), (answers.get(Number(status)) ?? 0) + Number(count))
  return answers
}

/** @returns one line per fault. */
export function faultsOf({ service, failures, answers }: Sum): string[] {
  const faults = [...failures].map((it) => `${service}: ${it}`)
  for (const [status, count] of answers)
    if (status >= 500) faults.push(`${service} answered ${count} times with ${status}`)
  return faults
}

export function summaryOf(sums: Sum[]): string {
  const lines = sums.map(({ service, cases, failures, answers }) => {
    const statuses = [...answers].sort(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`)
    return `${service.padEnd(11)} ${cases} cases, ${failures.size} failures; answers ${statuses.join(', ')}`
  })
  const cases = sums.reduce((sum, it) => sum + it.cases, 0)
  return [...lines, `${cases} cases, ${sums.flatMap(faultsOf).length} failures`].join('\n')
}
