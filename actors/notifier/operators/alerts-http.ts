/**
 * Where Alertmanager posts its webhook, version 4, and Grafana the same with more in it, version 1.
 * Sources: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config,
 * https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
 */
import { createHash, hash, randomUUID, timingSafeEqual } from 'node:crypto'
import { createRoute, z } from '@hono/zod-openapi'
import type { Sql } from '../../../streams/postgres.ts'
import type { App } from '../../http/app.ts'
import { Problem, problemResponses } from '../../http/problem.ts'
import { reply } from '../../http/reply.ts'
import { jsonAnswer, jsonBody } from '../../http/schema.ts'
import type { Told } from '../console.ts'
import type { AlertDetails } from '../plan/notice.ts'
import { type Routing, routeOf } from '../plan/routing.ts'
import { noteAlerts, readNews } from './alerts.ts'

export type AlertsHttpOptions = {
  app: App
  sql: Sql
  routing: Routing
  /** The bearer token of those who post alerts. Without it, none are accepted. */
  alertToken: string | undefined
  /** Tells notices on the console. */
  tell(notices: Told[]): void
  /** Told when notices became due. */
  ring(): void
}

/**
 * Rules and services write what they like, and an alert is no place to be strict: who posts it does not repeat what was
 * refused. Postgres must be able to store it, and people to read it. `null` is the same as absent.
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

/** No clock of ours shows less or more, and Postgres can store both. */
const earliest = '0001-01-01T00:00:00Z'
const latest = '9999-12-31T23:59:59Z'

/** Offsets and fractions of a second are written in more ways than Postgres reads. @returns UTC, to the microsecond. */
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

/** What Go makes of a text that is not there. */
const absentIfEmpty = <Schema extends z.ZodType>(schema: Schema) =>
  z.union([schema, z.literal('').transform(() => undefined)]).nullish()

const status = z.enum(['firing', 'resolved'])

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

/** As Alertmanager and Grafana have it: the same labels are the same alert. */
const fingerprintOf = (labels: Record<string, string>): string =>
  hash('sha256', JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)))).slice(0, 16)

const webhookSchema = z
  .object({
    version: z.enum(['1', '4']).openapi({ description: '4: Alertmanager; 1: Grafana' }),
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

const scheme = 'alertToken'

const postAlerts = createRoute({
  method: 'post',
  path: '/alerts',
  summary: 'Alerts, as Alertmanager and Grafana post them',
  description:
    'Tells operators what has begun to fire or was resolved, once however often it is posted. Needs `Authorization: Bearer` with `ALERT_TOKEN`.',
  tags: ['operator'],
  security: [{ [scheme]: [] }],
  request: { body: jsonBody(webhookSchema) },
  responses: {
    200: jsonAnswer(
      z.object({ news: z.int().openapi({ description: 'alerts that operators had not been notified of' }) }),
      'Accepted; operators will be notified.',
    ),
    ...problemResponses(401),
  },
})

export function mountAlerts({ app, sql, routing, alertToken, tell, ring }: AlertsHttpOptions): void {
  app.openAPIRegistry.registerComponent('securitySchemes', scheme, { type: 'http', scheme: 'bearer' })
  // Before the body is read: a stranger is told nothing about it.
  app.on('POST', '/alerts', async (c, next) => {
    authorize(c.req.header('authorization'), alertToken)
    await next()
  })

  app.addRoute(postAlerts, async (c) => {
    const { groupKey, externalURL, truncatedAlerts, alerts } = c.req.valid('json')
    const truncated = truncatedAlerts ?? 0
    const newest = [...new Map(alerts.map((it) => [it.fingerprint, it])).values()]
    const details: AlertDetails = { type: 'alerts', groupKey, externalURL, alerts: newest, truncated }
    const news = await note(details)
    if (news > 0) ring()
    return reply(200, { news })
  })

  /** The console is told first, as of everything: of what is told and not noted it is told again. */
  async function note(details: AlertDetails): Promise<number> {
    const alerts = await readNews(sql, details.alerts)
    if (alerts.length === 0) return 0
    const noticeid = randomUUID()
    tell([lineOf(noticeid, { ...details, alerts })])
    const channels = routeOf({ kind: 'alert', userid: null }, undefined, routing)
    const chat = routing.configured.has('chat') ? (['chat'] as const) : []
    return await noteAlerts(sql, details, { noticeid, channels: [...channels, ...chat] })
  }
}

const lineOf = (noticeid: string, details: AlertDetails): Told => ({
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

const tokenLengthMax = 4_096

/** @throws {Problem} 401. Digests have one length, so that comparing them tells nothing of the token, nor its length. */
function authorize(header: string | undefined, token: string | undefined): void {
  const shown = /^bearer +(.+)$/i.exec(header?.slice(0, tokenLengthMax) ?? '')?.[1]
  if (token !== undefined && shown !== undefined && timingSafeEqual(digest(shown), digest(token))) return
  throw new Problem('unauthorized', {
    detail:
      token === undefined
        ? 'No alerts are taken: ALERT_TOKEN is not set.'
        : 'Alerts need the bearer token that was set as ALERT_TOKEN.',
    headers: { 'www-authenticate': 'Bearer' },
  })
}

const digest = (it: string) => createHash('sha256').update(it).digest()
