/** The routes of alerts, as Alertmanager itself resolves them. */
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bodyBytesMax } from '../../platform/http/input.ts'
import { eventually } from '../../tests/doubles/eventually.ts'
import { MailSink } from '../../tests/doubles/mail-sink.ts'
import { WebhookSink } from '../../tests/doubles/webhook-sink.ts'
import { type Alertmanager, alertmanagerConfig, startAlertmanager } from './local/alertmanager.ts'
import { foreignMetrics } from './testing/foreign.ts'
import { alertsIn, ruleFiles, run } from './testing/rules.ts'

const amtool = (...args: string[]) => run('amtool', ...args)

test('the configuration is valid', () => {
  expect(amtool('check-config', alertmanagerConfig)).toContain('SUCCESS')
})

const receiverOf = (labels: Record<string, string>) =>
  amtool(
    ...['config', 'routes', 'test', `--config.file=${alertmanagerConfig}`],
    ...Object.entries(labels).map(([name, value]) => `${name}=${value}`),
  ).trim()

test.each([
  [
    'critical alerts, to the notifier and by e-mail',
    { alertname: 'ReservationsUndecided', service: 'stock', severity: 'critical' },
    'notifier-and-mail',
  ],
  [
    'warnings, to the notifier',
    { alertname: 'DecisionsSlow', service: 'stock', severity: 'warning' },
    'notifier',
  ],
  [
    'alerts of a node, to the notifier',
    { alertname: 'NodeShortOfCpu', instance: 'a', severity: 'warning' },
    'notifier',
  ],
  [
    'a notifier that is down, by e-mail',
    { alertname: 'ServiceAbsent', service: 'notifier', severity: 'critical' },
    'mail',
  ],
  [
    'notices that fail, by e-mail',
    { alertname: 'NoticesFailing', service: 'notifier', channel: 'email', severity: 'warning' },
    'mail',
  ],
  [
    'restarting pods of the notifier, by e-mail',
    { alertname: 'PodRestarting', service: 'notifier', severity: 'warning' },
    'mail',
  ],
  [
    'a notifier that accepts no alerts, by e-mail',
    { alertname: 'AlertsNotDelivered', integration: 'webhook', severity: 'critical' },
    'mail',
  ],
  [
    'a mail server that accepts no alerts, to the notifier',
    { alertname: 'AlertsNotDelivered', integration: 'email', severity: 'critical' },
    'notifier',
  ],
  ['the watchdog, to the dead man’s switch', { alertname: 'Watchdog', severity: 'none' }, 'dead-mans-switch'],
])('it sends %s', (_, labels, receiver) => {
  expect(receiverOf(labels)).toBe(receiver)
})

test('only the watchdog goes to the dead man’s switch', () => {
  const alerts = ruleFiles()
    .flatMap(alertsIn)
    .filter((it) => it.alert !== 'Watchdog')
  const receivers = new Set(alerts.map(({ alert, labels }) => receiverOf({ alertname: alert, ...labels })))
  expect(receivers).not.toContain('dead-mans-switch')
})

test('every alert that the configuration names exists', () => {
  const known = ruleFiles()
    .flatMap(alertsIn)
    .map((it) => it.alert)
  const config = execFileSync('cat', [alertmanagerConfig], { encoding: 'utf8' })
  const named = [...config.matchAll(/alertname=~?"([^"]*)"/g)].flatMap(([, names]) => names!.split('|'))
  expect(named.length).toBeGreaterThan(5)
  for (const name of named)
    expect(
      known.some((it) => new RegExp(`^(${name})$`).test(it)),
      name,
    ).toBe(true)
})

/** More than any of our alerts takes, with its labels, annotations and links. */
const alertBytes = 2_000

test('no group is too large for the notifier', () => {
  const config = execFileSync('cat', [alertmanagerConfig], { encoding: 'utf8' })
  const most = /&notifier\n.*?max_alerts: (\d+)\n.*?- name:/s.exec(config)?.[1]
  expect(Number(most) * alertBytes).toBeLessThan(bodyBytesMax)
})

let dir: string
let manager: Alertmanager | undefined
/** Why Alertmanager cannot run here, if it cannot. */
let unable = ''
let notifier: WebhookSink
let outside: WebhookSink
let mail: MailSink
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bookreservation-alerts-'))
  notifier = await WebhookSink.start()
  outside = await WebhookSink.start()
  mail = await MailSink.start()
  const receivers = {
    notifier: notifier.url,
    token: 'a token',
    deadMansSwitch: outside.url,
    smtp: new URL(mail.url).host,
  }
  manager = await startAlertmanager({ dir, receivers }).catch((error: Error) => {
    if (!error.message.includes('unshare')) throw error
    unable = 'this machine refuses user namespaces, and prometheus-alertmanager is not installed'
    return undefined
  })
})
afterAll(async () => {
  await manager?.stop()
  for (const sink of [notifier, outside, mail]) await sink[Symbol.asyncDispose]()
  await rm(dir, { recursive: true, force: true })
})

const api = async (path: string, body?: unknown) => {
  const init =
    body === undefined
      ? {}
      : {
          method: 'POST',
          body: JSON.stringify(body),
          headers: { 'content-type': 'application/json' },
        }
  const answer = await fetch(`${manager!.url}/api/v2${path}`, init)
  expect(answer.ok).toBe(true)
  return answer
}
const raise = (...alerts: Record<string, string>[]) =>
  api(
    '/alerts',
    alerts.map((labels) => ({ labels })),
  )

type Inhibited = { labels: Record<string, string>; status: { inhibitedBy: string[] } }
const inhibited = async () => {
  const alerts = (await (await api('/alerts')).json()) as Inhibited[]
  return alerts
    .filter((it) => it.status.inhibitedBy.length > 0)
    .map(({ labels: { alertname, namespace, service } }) => `${alertname} ${service} ${namespace}`)
    .sort()
}

test('consequences of a store or a service that is down are inhibited, in its namespace only', async (context) => {
  context.skip(!manager, unable)
  const b = { namespace: 'b' }
  await raise(
    { ...b, alertname: 'StoreUnreachable', service: 'stock', store: 'redis', severity: 'critical' },
    { ...b, alertname: 'ReservationsUndecided', service: 'stock', severity: 'critical' },
    { ...b, alertname: 'PartitionsUnowned', service: 'notifier', severity: 'critical' },
    { ...b, alertname: 'AcceptingBudgetBurnsFast', service: 'reservation', severity: 'critical' },
    { ...b, alertname: 'ServiceAbsent', service: 'notifier', severity: 'critical' },
    { ...b, alertname: 'NoticesOverdue', service: 'notifier', severity: 'warning' },
    { ...b, alertname: 'RequestsFailing', service: 'web', severity: 'warning' },
    { ...b, alertname: 'PodsMissing', service: 'web', severity: 'warning' },
    { namespace: 'c', alertname: 'ReservationsUndecided', service: 'stock', severity: 'critical' },
  )
  expect(await inhibited()).toEqual([
    'NoticesOverdue notifier b',
    'PartitionsUnowned notifier b',
    'RequestsFailing web b',
    'ReservationsUndecided stock b',
  ])
})

test('the watchdog arrives outside at once', async (context) => {
  context.skip(!manager, unable)
  await raise({ alertname: 'Watchdog', severity: 'none' })
  await eventually(() => outside.hooks.length > 0)
  expect(outside.hooks[0]!.body).toMatchObject({ receiver: 'dead-mans-switch', status: 'firing' })
})

test('it exports the metrics that we query', async (context) => {
  context.skip(!manager, unable)
  const text = await (await fetch(`${manager!.url}/metrics`)).text()
  for (const name of foreignMetrics.alertmanager!) expect(text).toContain(`\n${name}{integration="webhook"`)
})
