/** The OpenAPI documents in `openapi/`: made from the routes, without stores and without a process. */
import { join } from 'node:path'
import { mountNotifier, about as notifier } from '../../../actors/notifier/http.ts'
import type { NotifierHttpOptions } from '../../../actors/notifier/http-options.ts'
import { backlogKinds as backlogOfNotifier } from '../../../actors/notifier/operators/backlog.ts'
import { mountBooks } from '../../../actors/reservation/books-http.ts'
import {
  mountReservations,
  type ReservationHttpOptions,
  about as reservation,
} from '../../../actors/reservation/http.ts'
import { backlogKinds as backlogOfReservation } from '../../../actors/reservation/outbox.ts'
import { mountPrivacy } from '../../../actors/reservation/privacy-http.ts'
import { mountStandings } from '../../../actors/reservation/standings-http.ts'
import { backlogKinds as backlogOfStock } from '../../../actors/stock/backlog.ts'
import { mountClosingDays } from '../../../actors/stock/closing-days-http.ts'
import { mountHolds } from '../../../actors/stock/holds-http.ts'
import { mountStock, type StockHttpOptions, about as stock } from '../../../actors/stock/http.ts'
import { mountPurchases } from '../../../actors/stock/purchases-http.ts'
import { mountRules } from '../../../actors/stock/rules-http.ts'
import type { ServiceName } from '../../../platform/config.ts'
import { type About, type App, createApp } from '../../../platform/http/app.ts'
import { mountProbes } from '../../../platform/http/health.ts'
import { openApiOf } from '../../../platform/http/openapi.ts'
import { mountAudit } from '../../../platform/identity/audit-http.ts'
import { createLog } from '../../../platform/log.ts'
import { createMetrics } from '../../../platform/metrics.ts'
import type { BacklogKinds } from '../../../platform/operators/backlog-http.ts'
import { mountOperators, type OperatorsHttpOptions } from '../../../platform/operators/operators-http.ts'
import { root } from '../root.ts'
import { toSettings } from '../settings.ts'

export const folder = join(root, 'openapi')

/** No handler runs, so none needs anything but its app. */
const unused = {} as never

type Parts = { about: Omit<About, 'service'>; backlogKinds: BacklogKinds; mount(app: App): void }
const services: Record<ServiceName, Parts> = {
  reservation: {
    about: reservation,
    backlogKinds: backlogOfReservation,
    mount(app) {
      const options = { app } as ReservationHttpOptions
      mountReservations(options)
      mountBooks(options)
      mountStandings(options)
      mountPrivacy(options)
    },
  },
  stock: {
    about: stock,
    backlogKinds: backlogOfStock,
    mount(app) {
      const options = { app } as StockHttpOptions
      mountStock(options)
      mountPurchases(options)
      mountHolds(options)
      mountRules(options)
      mountClosingDays(options)
    },
  },
  notifier: {
    about: notifier,
    backlogKinds: backlogOfNotifier,
    mount: (app) =>
      mountNotifier({ app, allowPrivate: false, routing: { locale: 'ko' } } as NotifierHttpOptions),
  },
}

/** The document that the service serves with the default settings. */
export function documentOf(service: ServiceName): object {
  const { about, backlogKinds, mount } = services[service]
  const log = createLog(service, 'silent')
  const app = createApp({ service, ...about, log, metrics: createMetrics(service) })
  mountAudit({ app, sql: unused, audit: undefined })
  mount(app)
  mountOperators({ app, service, backlogKinds } as OperatorsHttpOptions)
  mountProbes(app, unused)
  // As a client receives it, without undefined members.
  return JSON.parse(JSON.stringify(openApiOf(app, toSettings({}).ports[service])))
}
