/** What the templates of every language say of alerts. */
import type { Alert } from '../notice.ts'

/** An alert in one line: what it is called, and what its rule says of it. */
export function nameOf({ labels, annotations }: Alert): string {
  const name = labels.alertname ?? 'alert'
  const told = annotations.summary ?? annotations.description
  return told ? `${name}: ${told}` : name
}

export const tallied = (alerts: Alert[]) => ({
  firing: alerts.filter((it) => it.status === 'firing').length,
  resolved: alerts.filter((it) => it.status === 'resolved').length,
})

/** The names of alerts, each once. */
export const briefly = (alerts: Alert[]): string =>
  [...new Set(alerts.map(({ labels }) => labels.alertname ?? 'alert'))].join(', ')
