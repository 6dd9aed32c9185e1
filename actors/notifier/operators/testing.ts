/** Alerts, as Alertmanager posts them. */
import type { Alert, AlertDetails } from '../plan/notice.ts'

export const alertFiring = (some: Partial<Alert> = {}): Alert => ({
  fingerprint: 'c6eadffa33fcdf37',
  status: 'firing',
  labels: { alertname: 'MailboxLags', severity: 'page' },
  annotations: { summary: 'stock is behind' },
  startsAt: '2026-03-14T09:26:53Z',
  endsAt: '0001-01-01T00:00:00Z',
  generatorURL: 'https://prometheus.example/graph',
  ...some,
})

export const alertsOf = (alerts: Alert[]): AlertDetails => ({
  type: 'alerts',
  groupKey: '{}:{alertname="MailboxLags"}',
  externalURL: 'https://alertmanager.example',
  alerts,
  truncated: 0,
})
