/** The OpenAPI documents in `openapi/`: made from the routes, without stores and without a process. */
import { join } from 'node:path'
import { mountNotifier, about as notifier } from '../../../actors/notifier/http.ts'
import type { Routing } from '../../../actors/notifier/plan/routing.ts'
import { mountReservations, about as reservation } from '../../../actors/reservation/http.ts'
import { mountStandings } from '../../../actors/reservation/standings-http.ts'
import { mountClosingDays } from '../../../actors/stock/closing-days-http.ts'
import { mountHolds } from '../../../actors/stock/holds-http.ts'
import { mountStock, about as stock } from '../../../actors/stock/http.ts'
import { mountPurchases } from '../../../actors/stock/purchases-http.ts'
import { mountRules } from '../../../actors/stock/rules-http.ts'
import type { ServiceName } from '../../../platform/config.ts'
import { type About, type App, createApp } from '../../../platform/http/app.ts'
import { mountProbes } from '../../../platform/http/health.ts'
import { openApiOf } from '../../../platform/http/openapi.ts'
import { mountAudit } from '../../../platform/identity/audit-http.ts'
import { createLog } from '../../../platform/log.ts'
import { createMetrics } from '../../../platform/metrics.ts'
import { root } from '../root.ts'
import { toSettings } from '../settings.ts'

export const folder = join(root, 'openapi')

/** No handler runs, so none needs anything. */
const unused = {} as never

const services: Record<ServiceName, { about: Omit<About, 'service'>; mount(app: App): void }> = {
  reservation: {
    about: reservation,
    mount(app) {
      mountReservations({
        app,
        sql: unused,
        desk: unused,
        positions: unused,
        held: unused,
        reads: unused,
        stopping: unused,
      })
      mountStandings({ app, sql: unused, activeMax: 0, now: unused })
    },
  },
  stock: {
    about: stock,
    mount(app) {
      const options = { app, sql: unused, reads: unused, desk: unused, defaults: unused, now: unused }
      mountStock(options)
      mountPurchases(options)
      mountHolds(options)
      mountRules(options)
      mountClosingDays(options)
    },
  },
  notifier: {
    about: notifier,
    mount: (app) =>
      mountNotifier({
        app,
        sql: unused,
        reads: unused,
        allowPrivate: false,
        routing: { locale: 'ko' } as Routing,
        alertToken: undefined,
        print: unused,
        wake: unused,
      }),
  },
}

/** The document that the service serves with the default settings. */
export function documentOf(service: ServiceName): object {
  const { about, mount } = services[service]
  const log = createLog(service, 'silent')
  const app = createApp({ service, ...about, log, metrics: createMetrics(service) })
  mountAudit({ app, sql: unused, audit: undefined })
  mount(app)
  mountProbes(app, unused)
  // As a client receives it, without undefined members.
  return JSON.parse(JSON.stringify(openApiOf(app, toSettings({}).ports[service])))
}
