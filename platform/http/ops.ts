/**
 * Probes, metrics and docs, for supervisors and operators. They have a port of their own, so that no queue of
 * customers delays a probe, and the route that exposes the service to customers does not expose these.
 */
import { type About, type App, type AppOptions, createApp } from './app.ts'
import { mountDocs } from './docs.ts'
import { type HealthOptions, mountHealth } from './health.ts'

type OpsOptions = HealthOptions &
  Pick<AppOptions, 'log' | 'metrics'> & {
    about: About
    /** The app whose reference is served, and its port. */
    docs?: { app: App; port: number } | undefined
  }

export function createOps({ about, docs, log, ...health }: OpsOptions): App {
  const { metrics } = health
  const app = createApp({ ...about, log, metrics })
  mountHealth(app, health)
  if (docs) mountDocs(app, docs.app, docs.port)
  return app
}
