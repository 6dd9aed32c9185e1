/**
 * Lists alerts, and receives the webhook of Alertmanager, version 4, and that of Grafana, version 1, which is the same with more fields.
 * Sources: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config,
 * https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
 */
import { createHash, hash, randomUUID, timingSafeEqual } from 'node:crypto'
import { z } from '@hono/zod-openapi'
import { pageQuery, replyPage, timeKeyFrom } from '../../../platform/http/paging.ts'
import { Problem, problemResponses } from '../../../platform/http/problem.ts'
import { reply } from '../../../platform/http/reply.ts'
import { jsonAnswer, jsonBody, pageAnswer, routesOf } from '../../../platform/http/route.ts'
import { askedStatus, shownStatus, shownStatuses } from '../../../platform/http/status.ts'
import type { Caller } from '../../../platform/identity/caller.ts'
import type { PrintedNotice } from '../console.ts'
import * as examples from '../examples.ts'
import type { NotifierHttpOptions } from '../http-options.ts'
import type { AlertDetails } from '../plan/notice.ts'
import { routeOf } from '../plan/routing.ts'
import { type AlertRow, listAlerts, readNews, recordAlerts } from './alerts.ts'

const routes = routesOf('operator')

/**
 * Alerts are parsed leniently, because a refused alert is not posted again: Postgres must be able to store the text, and people
 * to read it. `null` is the same as absent.
 */
const lengthMax = 1_000
const text = z.string().transform((it) => {
  const storable = it.slice(0, lengthMax).replaceAll('\0', '\u2400').toWellFormed()
  return it.length > lengthMax ? `${storable}…` : storable
})
const optionalText = text.nullish().transform((it) => it ?? '')
const texts = z
  .record(text, text.nullable())
  .nullish()
  .transform((it) => Object.fromEntries(Object.entries(it ?? {}).filter(isGiven)))
const isGiven = (entry: [string, string | null]): entry is [string, string] => entry[1] !== null

/** Bounds that Postgres can store. */
const earliest = '0001-01-01T00:00:00Z'
const latest = '9999-12-31T23:59:59Z'

/** Clients write offsets and fractions of a second in more ways than Postgres reads. @returns UTC, to the microsecond. */
function toInstant(given: string): string {
  const at = new Date(given)
  if (at.getTime() < Date.parse(earliest)) return earliest
  if (at.getTime() > Date.parse(latest)) return latest
  const [fraction = ''] = /\.\d{1,6}/.exec(given) ?? []
  return `${at.toISOString().slice(0, 19)}${fraction}Z`
}

const time = z
  .string()
  .max(lengthMax)
  .pipe(z.iso.datetime({ offset: true }))
  .transform(toInstant)
  .openapi({ format: 'date-time' })

/** Go serializes an absent text as an empty one. */
const absentIfEmpty = <Schema extends z.ZodType>(schema: Schema) =>
  z.union([schema, z.literal('').transform(() => undefined)]).nullish()

const alertStatuses = ['firing', 'resolved'] as const
const status = z.enum(alertStatuses)

const alertSchema = z
  .object({
    status,
    labels: texts,
    annotations: texts,
    startsAt: time,
    endsAt: absentIfEmpty(time).transform((it) => it ?? earliest),
    generatorURL: optionalText,
    fingerprint: absentIfEmpty(
      z
        .string()
        .max(64)
        .pipe(z.string().regex(/^[\x21-\x7e]+$/, 'must be printable ASCII')),
    ),
  })
  .transform((it) => ({ ...it, fingerprint: it.fingerprint ?? fingerprintOf(it.labels) }))
  .openapi('Alert')

/** As in Alertmanager and Grafana, alerts with the same labels are the same alert. */
const fingerprintOf = (labels: Record<string, string>): string =>
  hash('sha256', JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)))).slice(0, 16)

const webhookSchema = z
  .object({
    version: z.enum(['1', '4']).describe('4: Alertmanager; 1: Grafana'),
    groupKey: optionalText,
    truncatedAlerts: z.int().min(0).nullish(),
    status: status.nullish(),
    receiver: optionalText,
    groupLabels: texts,
    commonLabels: texts,
    commonAnnotations: texts,
    externalURL: optionalText,
    alerts: z
      .array(alertSchema)
      .max(1_000)
      .nullish()
      .transform((it) => it ?? []),
  })
  .openapi('AlertmanagerWebhook')

const newsSchema = z.object({ news: z.int().describe('alerts that are new or have changed') }).openapi('News')

const recordedSchema = z
  .object({
    fingerprint: z.string().describe('Of its labels: the same each time the alert fires'),
    status: shownStatuses(alertStatuses),
    labels: z.record(z.string(), z.string()),
    annotations: z.record(z.string(), z.string()),
    startsAt: z.iso.datetime(),
    endsAt: z.iso.datetime().nullable().describe('When it was resolved'),
    generatorURL: z.string().describe('Of the rule. Empty if unknown'),
    changedAt: z.iso.datetime().describe('When operators were last notified of it'),
  })
  .openapi('RecordedAlert')

const getAlerts = routes.get('/alerts', {
  operationId: 'listAlerts',
  summary: 'List alerts that fire, and past ones',
  description: 'Each alert once, as it was last. Past ones are kept for `EVENT_RETENTION_DAYS`.',
  access: ['operator'],
  request: { query: z.object({ ...pageQuery, status: askedStatus(alertStatuses).optional() }) },
  responses: {
    200: pageAnswer({
      as: 'AlertPage',
      name: 'alerts',
      item: recordedSchema,
      description: 'A page, the last change first',
      example: examples.recordedAlert,
      path: '/alerts',
    }),
  },
})

const scheme = 'alertToken'

const postAlerts = routes.post('/alerts', {
  operationId: 'postAlerts',
  summary: 'Receive alerts from Alertmanager or Grafana',
  description:
    'Notifies operators of alerts that started firing or were resolved, once however often they are posted. Requires `Authorization: Bearer` with `ALERT_TOKEN`.',
  access: 'anyone',
  security: [{ [scheme]: [] }],
  request: { body: jsonBody(webhookSchema, examples.alerts) },
  responses: {
    200: jsonAnswer(newsSchema, 'Accepted; operators will be notified.', { news: 1 }),
    ...problemResponses(401),
  },
})

export function mountAlerts(options: Omit<NotifierHttpOptions, 'allowPrivate'>): void {
  const { app, sql, reads, routing, alertToken, print, wake } = options
  app.addRoute(getAlerts, async (c) => {
    const { limit, after, status } = c.req.valid('query')
    const before = after === undefined ? undefined : timeKeyFrom(after)
    const rows = await reads.for(c, (sql) => listAlerts(sql, status, limit + 1, before))
    return replyPage(c, 'alerts', rows, limit, (row) => row.key, toRecorded)
  })

  app.openAPIRegistry.registerComponent('securitySchemes', scheme, { type: 'http', scheme: 'bearer' })
  // Before the body is read, so that an unauthorized client learns nothing about it.
  app.on('POST', '/alerts', async (c, next) => {
    authorize(c.req.header('authorization'), alertToken)
    if (app.guarded) c.set('who', alertmanager)
    await next()
  })

  app.addRoute(postAlerts, async (c) => {
    const { groupKey, externalURL, truncatedAlerts, alerts } = c.req.valid('json')
    const truncated = truncatedAlerts ?? 0
    const newest = [...new Map(alerts.map((it) => [it.fingerprint, it])).values()]
    const details: AlertDetails = { type: 'alerts', groupKey, externalURL, alerts: newest, truncated }
    const news = await record(details)
    if (news > 0) wake()
    return reply(200, { news })
  })

  /** Prints first, as for every notice: after a crash in between, the alert is posted again and printed again. */
  async function record(details: AlertDetails): Promise<number> {
    const alerts = await readNews(sql, details.alerts)
    if (alerts.length === 0) return 0
    const noticeid = randomUUID()
    print([lineOf(noticeid, { ...details, alerts })])
    const channels = routeOf({ kind: 'alert', userid: null }, undefined, routing)
    const chat = routing.configured.has('chat') ? (['chat'] as const) : []
    return await recordAlerts(sql, details, { noticeid, channels: [...channels, ...chat] })
  }
}

function toRecorded({ fingerprint, status, starts_at, told_at, alert }: AlertRow) {
  const { labels = {}, annotations = {}, generatorURL = '', endsAt } = alert ?? {}
  const ended = status === 'resolved' && alert?.status === 'resolved'
  return {
    fingerprint,
    status: shownStatus(status),
    labels,
    annotations,
    startsAt: starts_at.toISOString(),
    endsAt: ended && endsAt ? new Date(endsAt).toISOString() : null,
    generatorURL,
    changedAt: told_at.toISOString(),
  }
}

const lineOf = (noticeid: string, details: AlertDetails): PrintedNotice => ({
  kind: 'alert',
  noticeid,
  bookid: null,
  userid: null,
  reservationid: null,
  reason: null,
  shortage: null,
  traceparent: null,
  details,
})

/** A program, which has no limit of requests: Alertmanager does not repeat what was answered with 429. */
const alertmanager: Caller = {
  authtype: 'service_account',
  authid: 'alertmanager',
  userid: undefined,
  roles: ['service'],
}

const tokenLengthMax = 4_096

/** @throws {Problem} 401. Digests have one length, so comparing them reveals neither the token nor its length. */
function authorize(header: string | undefined, token: string | undefined): void {
  const sent = /^bearer +(.+)$/i.exec(header?.slice(0, tokenLengthMax) ?? '')?.[1]
  if (token !== undefined && sent !== undefined && timingSafeEqual(digest(sent), digest(token))) return
  throw new Problem('unauthorized', {
    detail:
      token === undefined
        ? 'This server accepts no alerts: ALERT_TOKEN is not set.'
        : 'Alerts require the bearer token that is set as ALERT_TOKEN.',
    headers: { 'www-authenticate': 'Bearer' },
  })
}

const digest = (it: string) => createHash('sha256').update(it).digest()
