/**
 * What supervisors and operators ask of a service: probes, metrics, docs. On a port of its own: no crowd of customers is in
 * front of a probe there, and what leads customers to the service leads nobody here.
 */
import { type App, type AppOptions, createApp } from './app.ts'
import { mountDocs } from './docs.ts'
import { type HealthOptions, mountHealth } from './health.ts'

export type OpsOptions = HealthOptions &
  Pick<AppOptions, 'log' | 'metrics'> & {
    /** Where the service itself listens. */
    port: () => number
  }

export function createOps(service: App, { log, port, ...health }: OpsOptions): App {
  const { metrics } = health
  const app = createApp({ ...service.about, log, metrics })
  mountHealth(app, health)
  mountDocs(app, service, port)
  return app
}
