/** Where Alertmanager posts: its webhook, version 4. https://prometheus.io/docs/alerting/latest/configuration/#webhook_config */
import { createHash, randomUUID, timingSafeEqual } from 'node:crypto'
import { createRoute, z } from '@hono/zod-openapi'
import type { Sql } from '../../streams/postgres.ts'
import type { App } from '../http/app.ts'
import { Problem, problemResponses } from '../http/problem.ts'
import { noteAlerts, readNews } from './alerts.ts'
import type { Told } from './channels/console.ts'
import type { AlertDetails } from './notice.ts'
import { type Routing, routeOf } from './routing.ts'

export type AlertsHttpOptions = {
  app: App
  sql: Sql
  routing: Routing
  token: string | undefined
  /** Tells notices on the console. */
  tell(notices: Told[]): void
  /** Told when notices became due. */
  ring(): void
}

/** Rules and services write what they like, and an alert is no place to be strict: Postgres must be able to store it, and people to read it. */
const lengthMax = 1_000
const text = z.string().transform((it) => {
  const storable = it.replaceAll('\0', '\u2400').toWellFormed()
  return storable.length > lengthMax ? `${storable.slice(0, lengthMax).toWellFormed()}…` : storable
})
const texts = z.record(text, text).default({})
const time = z.iso.datetime({ offset: true })

const alertSchema = z
  .object({
    status: z.enum(['firing', 'resolved']),
    labels: texts,
    annotations: texts,
    startsAt: time,
    endsAt: time,
    generatorURL: text.default(''),
    fingerprint: z.string().regex(/^[\x21-\x7e]{1,64}$/, 'must be printable ASCII'),
  })
  .openapi('Alert')

const webhookSchema = z
  .object({
    version: z.literal('4'),
    groupKey: text,
    truncatedAlerts: z.int().min(0).default(0),
    status: z.enum(['firing', 'resolved']),
    receiver: text.optional(),
    groupLabels: texts,
    commonLabels: texts,
    commonAnnotations: texts,
    externalURL: text.default(''),
    alerts: z.array(alertSchema).max(1_000),
  })
  .openapi('AlertmanagerWebhook')

const scheme = 'alertToken'

const postAlerts = createRoute({
  method: 'post',
  path: '/alerts',
  summary: 'Alerts, as Alertmanager posts them',
  description:
    'Tells operators what has begun to fire or was resolved, once however often it is posted. Needs `Authorization: Bearer` with `ALERT_TOKEN`.',
  tags: ['operator'],
  security: [{ [scheme]: [] }],
  request: { body: { content: { 'application/json': { schema: webhookSchema } }, required: true } },
  responses: {
    200: {
      description: 'They are noted, and are told whatever happens now',
      content: {
        'application/json': {
          schema: z.object({ news: z.int().openapi({ description: 'alerts that were not told before' }) }),
        },
      },
    },
    ...problemResponses(401),
  },
})

export function mountAlerts({ app, sql, routing, token, tell, ring }: AlertsHttpOptions): void {
  app.openAPIRegistry.registerComponent('securitySchemes', scheme, { type: 'http', scheme: 'bearer' })
  // Before the body is read: a stranger is told nothing about it.
  app.on('POST', '/alerts', async (c, next) => {
    authorize(c.req.header('authorization'), token)
    await next()
  })

  app.openapi(postAlerts, async (c) => {
    const { groupKey, externalURL, truncatedAlerts: truncated, alerts } = c.req.valid('json')
    const newest = [...new Map(alerts.map((it) => [it.fingerprint, it])).values()]
    const details: AlertDetails = { type: 'alerts', groupKey, externalURL, alerts: newest, truncated }
    const news = await note(details)
    if (news > 0) ring()
    return c.json({ news }, 200)
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

/** @throws {Problem} 401. Digests have one length, so that comparing them tells nothing of the token, nor its length. */
function authorize(header: string | undefined, token: string | undefined): void {
  const shown = /^bearer +(.+)$/i.exec(header ?? '')?.[1]
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
