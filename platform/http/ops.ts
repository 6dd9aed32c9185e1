/**
 * Probes, metrics and docs, for supervisors and operators. They have a port of their own, so that no queue of
 * customers delays a probe, and the route that exposes the service to customers does not expose these.
 */
import { type App, type AppOptions, createApp } from './app.ts'
import { mountDocs } from './docs.ts'
import { type HealthOptions, mountHealth } from './health.ts'

export type OpsOptions = HealthOptions &
  Pick<AppOptions, 'log' | 'metrics'> & {
    /** The port of the service itself. */
    port: () => number
  }

export function createOps(service: App, { log, port, ...health }: OpsOptions): App {
  const { metrics } = health
  const app = createApp({ ...service.about, log, metrics })
  mountHealth(app, health)
  mountDocs(app, service, port)
  return app
}
