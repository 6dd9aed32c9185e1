import pino from 'pino'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type App, createApp } from '../../../platform/http/app.ts'
import { Reads } from '../../../platform/http/reads.ts'
import { Guard } from '../../../platform/identity/guard.ts'
import { writesPerMinute } from '../../../platform/identity/person-limits.ts'
import { Tokens } from '../../../platform/identity/tokens.ts'
import { createMetrics } from '../../../platform/metrics.ts'
import type { ChannelName } from '../channels/all.ts'
import type { PrintedNotice } from '../console.ts'
import { claimDue, markAll } from '../delivery/queue.ts'
import type { Alert } from '../plan/notice.ts'
import { everybody } from '../plan/testing.ts'
import { mark, NotifierDatabase } from '../testing.ts'
import { pruneAlerts } from './alerts.ts'
import { mountAlerts } from './alerts-http.ts'
import { alertFiring } from './testing.ts'

const token = 'a-token-of-the-tests'
let database: NotifierDatabase
let lines: PrintedNotice[]
let wakeups: number
let metrics: ReturnType<typeof createMetrics>
beforeAll(async () => {
  database = await NotifierDatabase.create()
})
beforeEach(async () => {
  await database.sql`truncate notice, undelivered, attempt, alert, customer`
  lines = []
  wakeups = 0
})
afterAll(() => database[Symbol.asyncDispose]())

/** A new notifier, without memory of earlier alerts. */
function start(its: string | undefined = token, guard?: Guard): App {
  const log = pino({ level: 'silent' })
  metrics = createMetrics('notifier')
  const app = createApp({ service: 'notifier', title: '', description: '', log, metrics, guard })
  mountAlerts({
    app,
    sql: database.sql,
    reads: new Reads(database.sql, 2),
    routing: everybody,
    alertToken: its,
    print: (notices) => lines.push(...notices),
    wake: () => wakeups++,
  })
  return app
}

/** The webhook of Alertmanager 0.28. */
const webhookOf = (alerts: Alert[], some: object = {}) => ({
  receiver: 'notifier',
  status: alerts.some((it) => it.status === 'firing') ? 'firing' : 'resolved',
  alerts,
  groupLabels: { alertname: 'MailboxLags' },
  commonLabels: { alertname: 'MailboxLags', severity: 'page' },
  commonAnnotations: {},
  externalURL: 'https://alertmanager.example',
  version: '4',
  groupKey: '{}:{alertname="MailboxLags"}',
  truncatedAlerts: 0,
  ...some,
})

async function post(
  alerts: Alert[],
  { app = start(), bearer = token, body = webhookOf(alerts) as unknown } = {},
) {
  const response = await app.request('/alerts', {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...(bearer ? { authorization: `Bearer ${bearer}` } : {}) },
  })
  // biome-ignore lint/suspicious/noExplicitAny: bodies are looked at with matchers.
  return { status: response.status, headers: response.headers, body: (await response.json()) as any }
}

const firing = alertFiring()
const resolved = alertFiring({ status: 'resolved', endsAt: '2026-03-14T09:40:00Z' })
const other = alertFiring({ fingerprint: '1a30ba71cca2921f' })

/** The alerts of each notice on one channel, in order. */
async function sentTo(channel: ChannelName): Promise<string[][]> {
  const due = await claimDue(database.sql, channel, 100, 60_000)
  await markAll(
    database.sql,
    due.map((it) => mark(it, 'sent', { channel })),
  )
  return due.map(({ details }) =>
    details?.type === 'alerts'
      ? details.alerts.map((it) => `${it.fingerprint.slice(0, 2)} ${it.status}`)
      : [],
  )
}

test("A2: alerts of a group are one notice on each of the operators' channels and in the chat", async () => {
  expect(await post([firing, other])).toMatchObject({ status: 200, body: { news: 2 } })
  expect(wakeups).toBe(1)
  for (const channel of ['sms', 'email', 'slack', 'chat'] as const)
    expect(await sentTo(channel), channel).toEqual([['1a firing', 'c6 firing']])
  expect(await sentTo('webhook')).toEqual([])
  expect(lines).toMatchObject([{ kind: 'alert', details: { alerts: [firing, other] } }])
  const [console] = await database.sql`select noticeid, status, kind from notice where channel = 'console'`
  expect(console).toEqual({ noticeid: lines[0]!.noticeid, status: 'sent', kind: 'alert' })
})

test('A1: an alert that is posted again is news once, also to another process or after a restart', async () => {
  const first = start()
  expect((await post([firing], { app: first })).body).toEqual({ news: 1 })
  expect((await post([firing], { app: first })).body).toEqual({ news: 0 })
  expect((await post([firing])).body).toEqual({ news: 0 })
  const many = await Promise.all(Array.from({ length: 8 }, () => post([other, firing])))
  expect(many.reduce((sum, { body }) => sum + body.news, 0)).toBe(1)
  expect(await sentTo('sms')).toEqual([['1a firing', 'c6 firing']])
})

async function list(path = '/alerts') {
  const response = await start().request(path)
  // biome-ignore lint/suspicious/noExplicitAny: bodies are looked at with matchers.
  return { status: response.status, body: (await response.json()) as any }
}
const fingerprintsOf = (body: { _embedded: { alerts: Alert[] } }) =>
  body._embedded.alerts.map((it) => it.fingerprint)

test('alerts are listed once each, as they were last, those that fire and past ones', async () => {
  await post([firing])
  await post([other])
  await post([resolved])
  const { body } = await list()
  expect(body._embedded.alerts).toEqual([
    {
      fingerprint: resolved.fingerprint,
      status: 'Resolved',
      labels: resolved.labels,
      annotations: resolved.annotations,
      startsAt: new Date(resolved.startsAt).toISOString(),
      endsAt: '2026-03-14T09:40:00.000Z',
      generatorURL: resolved.generatorURL,
      changedAt: expect.any(String),
    },
    expect.objectContaining({ fingerprint: other.fingerprint, status: 'Firing', endsAt: null }),
  ])
  expect(fingerprintsOf((await list('/alerts?status=Firing')).body)).toEqual([other.fingerprint])
  expect(fingerprintsOf((await list('/alerts?status=Resolved')).body)).toEqual([resolved.fingerprint])
})

test('alerts are listed page by page, and without labels if an older version has recorded them', async () => {
  const many = Array.from({ length: 7 }, (_, i) => alertFiring({ fingerprint: `f${i}` }))
  for (const it of many) await post([it])
  await database.sql`update alert set alert = null where fingerprint = 'f6'`
  const found: string[] = []
  for (let path = '/alerts?limit=3'; path; ) {
    const { body } = await list(path)
    found.push(...fingerprintsOf(body))
    path = body._links.next?.href
  }
  expect(found).toEqual(many.map((it) => it.fingerprint).toReversed())
  const [first] = (await list('/alerts?limit=1')).body._embedded.alerts
  expect(first).toMatchObject({ fingerprint: 'f6', status: 'Firing', labels: {}, annotations: {} })
})

test('A1: only alerts that changed are sent', async () => {
  await post([firing, other])
  await sentTo('sms')
  expect((await post([resolved, other])).body).toEqual({ news: 1 })
  expect((await post([resolved, other])).body).toEqual({ news: 0 })
  expect(await sentTo('sms')).toEqual([['c6 resolved']])
  await post([firing, other])
  expect(await sentTo('sms')).toEqual([['c6 firing']])
})

test('A1: an alert with a later start is news even if no message said that it was resolved', async () => {
  await post([firing])
  const [earlier, later] = ['2026-03-14T08:00:00Z', '2026-03-15T08:00:00.123456789+09:00']
  expect((await post([{ ...firing, startsAt: earlier }])).body).toEqual({ news: 0 })
  expect((await post([{ ...firing, startsAt: later }])).body).toEqual({ news: 1 })
})

test('A3: an unsent notice is superseded by one with the newest states', async () => {
  await post([firing, other])
  await sentTo('email')
  await post([resolved])
  // Nothing was sent by SMS yet.
  expect(await sentTo('sms')).toEqual([['c6 resolved', '1a firing']])
  expect(await sentTo('email')).toEqual([['c6 resolved']])
  const [row] = await database.sql`select status from notice where channel = 'sms' order by seq limit 1`
  expect(row).toEqual({ status: 'superseded' })
})

test('another group has a notice of its own', async () => {
  await post([firing])
  await post([other], { body: webhookOf([other], { groupKey: '{}:{alertname="Other"}' }) })
  expect(await sentTo('sms')).toEqual([['c6 firing'], ['1a firing']])
})

test.each([
  ['none', ''],
  ['another', 'b-token-of-the-tests'],
  ['a longer one', `${token}x`],
])('who shows no token or a wrong one (%s) is refused, whatever is in the body', async (_, bearer) => {
  for (const body of [webhookOf([firing]), '{"version":']) {
    const answer = await post([], { bearer, body })
    expect(answer).toMatchObject({ status: 401, body: { type: '/problems/unauthorized', status: 401 } })
    expect(answer.headers.get('www-authenticate')).toBe('Bearer')
  }
  expect(await sentTo('sms')).toEqual([])
})

test('without a token no client is let in', async () => {
  expect((await post([firing], { app: start(''), bearer: 'undefined' })).status).toBe(401)
})

test.each([
  ['/version', { version: '3' }],
  ['/alerts', { alerts: {} }],
  ['/alerts/0/status', { alerts: [{ ...firing, status: 'on fire' }] }],
  ['/alerts/0/fingerprint', { alerts: [{ ...firing, fingerprint: 'not one' }] }],
  ['/alerts/0/startsAt', { alerts: [{ ...firing, startsAt: 'today' }] }],
  ['/alerts/0/labels/alertname', { alerts: [{ ...firing, labels: { alertname: 1 } }] }],
  ['/groupKey', { groupKey: 7 }],
])('a webhook with a bad %s is refused and notifies no operator', async (pointer, some) => {
  const { status, body } = await post([], { body: webhookOf([firing], some) })
  expect({ status, pointer: body.errors?.[0]?.pointer }).toEqual({ status: 400, pointer })
  expect(lines).toEqual([])
})

test.each([
  ['0000-01-01T00:00:00Z', '0001-01-01T00:00:00Z'],
  ['0001-01-01T00:00:00+09:00', '0001-01-01T00:00:00Z'],
  ['9999-12-31T23:59:59-12:00', '9999-12-31T23:59:59Z'],
  ['2026-01-01T00:00:00+16:00', '2025-12-31T08:00:00Z'],
  ['2026-01-01T00:00:00+23:59', '2025-12-31T00:01:00Z'],
  [`2026-01-01T00:00:00.${'1'.repeat(400)}Z`, '2026-01-01T00:00:00.111111Z'],
  ['2026-01-01T09:00:00.123456789+09:00', '2026-01-01T00:00:00.123456Z'],
])('an alert that started at %s is accepted, with the start %s', async (startsAt, instant) => {
  for (const name of ['startsAt', 'endsAt']) {
    const alert = { ...firing, fingerprint: name, [name]: startsAt }
    expect(await post([], { body: webhookOf([alert]) })).toMatchObject({ status: 200, body: { news: 1 } })
    expect(lines.at(-1)).toMatchObject({ details: { alerts: [{ [name]: instant }] } })
  }
})

test('null and an empty text are the same as absent, in every field', async () => {
  const nothing = { labels: null, annotations: null, generatorURL: null, endsAt: null, fingerprint: null }
  const names = ['groupKey', 'receiver', 'status', 'externalURL', 'truncatedAlerts', 'groupLabels']
  const nulls = Object.fromEntries([...names, 'commonLabels', 'commonAnnotations'].map((it) => [it, null]))
  expect(await post([], { body: webhookOf([], { ...nulls, alerts: null }) })).toMatchObject({
    status: 200,
    body: { news: 0 },
  })
  const { status, startsAt } = firing
  for (const alert of [
    { status, startsAt, ...nothing },
    { status, startsAt, labels: { alertname: 'Empty' }, endsAt: '', fingerprint: '', generatorURL: '' },
    { status, startsAt, labels: { alertname: 'Null', gone: null }, annotations: { summary: null } },
  ])
    expect(await post([], { body: { version: '4', ...nulls, alerts: [alert] } })).toMatchObject({
      status: 200,
      body: { news: 1 },
    })
  expect(lines.at(-1)!.details).toMatchObject({
    alerts: [{ labels: { alertname: 'Null' }, annotations: {} }],
  })
})

test('what Grafana posts is accepted', async () => {
  const body = {
    receiver: 'bookreservation',
    status: 'firing',
    alerts: [
      {
        ...firing,
        startsAt: '2026-03-14T18:26:53.5+09:00',
        values: { A: 42.5, B: null },
        silenceURL: 'https://grafana.example/alerting/silence/new',
        dashboardURL: '',
        panelURL: '',
        valueString: '[ var=A value=42.5 ]',
        orgId: 1,
      },
    ],
    groupLabels: {},
    commonLabels: { alertname: 'MailboxLags' },
    commonAnnotations: {},
    externalURL: 'https://grafana.example/',
    version: '1',
    groupKey: '{}:{}',
    truncatedAlerts: 0,
    orgId: 1,
    title: '[FIRING:1]',
    state: 'alerting',
    message: '**Firing**',
  }
  expect(await post([], { body })).toMatchObject({ status: 200, body: { news: 1 } })
  expect((await post([], { body })).body).toEqual({ news: 0 })
})

test('Alertmanager has no limit of requests where callers have one: what it could not post would be lost', async () => {
  const tokens = new Tokens({ issuers: [], audience: '', apiTokens: [] })
  const app = start(token, new Guard({ tokens, forwardedHops: 0 }))
  for (let i = 0; i < writesPerMinute * 2; i++) expect((await post([firing], { app })).status).toBe(200)
})

test('a wrong token is counted, so that guessing becomes visible', async () => {
  const app = start()
  await post([], { app, bearer: 'wrong' })
  expect(await metrics.registry.metrics()).toMatch(
    /http_request_duration_seconds_count\{service="notifier",method="POST",route="\/alerts",status="401"\} 1/,
  )
})

test('whatever the labels contain, the alert is sent', async () => {
  const odd = alertFiring({
    labels: { 'a\0b': 'x\0y', alertname: '\ud800' },
    annotations: { summary: 'z'.repeat(20_000) },
  })
  const answer = await post([], { body: webhookOf([odd], { groupKey: 'g'.repeat(10_000) }) })
  expect(answer).toMatchObject({ status: 200, body: { news: 1 } })
  const [due] = await claimDue(database.sql, 'sms', 1, 60_000)
  expect(due!.details).toMatchObject({
    alerts: [{ labels: { 'a\u2400b': 'x\u2400y', alertname: '\ufffd' } }],
  })
})

test('alerts that have not been news for long are deleted', async () => {
  await post([firing, other])
  await database.sql`update alert set told_at = now() - interval '91 days' where fingerprint = ${other.fingerprint}`
  await pruneAlerts(database.sql, 90)
  expect(await database.sql`select fingerprint from alert`).toEqual([{ fingerprint: firing.fingerprint }])
})
