/** Prints alerts on the terminal as they come and go. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Alert, Prometheus } from './prometheus.ts'

const lookEveryMs = 1_000

const nameOf = ({ labels: { alertname, severity, ...rest } }: Alert): string => {
  const about = Object.entries(rest).map(([name, value]) => `${name}=${value}`)
  return [alertname, ...about].join(' ')
}

/** Calls `say` for each change of an alert, until `signal` is aborted. */
export async function printAlerts(
  prometheus: Prometheus,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  let before = new Map<string, Alert>()
  while (!signal.aborted) {
    const alerts = await prometheus.alerts().catch(() => undefined)
    if (alerts) {
      const now = new Map(alerts.map((it) => [nameOf(it), it]))
      for (const [name, { state, annotations }] of now)
        if (before.get(name)?.state !== state) say(`${state.padEnd(8)} ${name}: ${annotations.summary}`)
      for (const name of before.keys()) if (!now.has(name)) say(`resolved ${name}`)
      before = now
    }
    await sleep(lookEveryMs, undefined, { signal }).catch(() => {})
  }
}
