/** The health probes of a service: liveness, readiness and startup. */
import { z } from '@hono/zod-openapi'
import type { Incarnation } from '../../streams/incarnation.ts'
import type { Metrics } from '../metrics.ts'
import type { App } from './app.ts'
import type { Liveness } from './liveness.ts'
import type { Probe } from './probe.ts'
import { Problem, problemResponses, within } from './problem.ts'
import { reply, safeHeaders } from './reply.ts'
import { routesOf } from './route.ts'

const routes = routesOf('health')

type ProbeOptions = {
  liveness: Liveness
  /** Rejects when the service cannot serve. */
  ready: () => Promise<unknown>
  stopping: AbortSignal
}

export type HealthOptions = ProbeOptions & { metrics: Metrics }

const readyLimitMs = 1_000

/** The database responds, but was restored to an earlier state. */
class GoneBack extends Error {}

/** @throws when the service cannot serve with this database. */
export async function ready(probe: Probe, incarnation: Incarnation): Promise<void> {
  if (incarnation.fault) throw new GoneBack(incarnation.fault)
  await probe.ask()
}

const statusRoute = (path: string, operationId: string, summary: string, status: string) =>
  routes.get(path, {
    operationId,
    summary,
    access: 'anyone',
    responses: {
      200: {
        description: 'OK',
        content: {
          'application/json': { schema: z.object({ status: z.literal(status) }), example: { status } },
        },
      },
      ...problemResponses(503),
    },
  })

const livez = routes.get('/livez', {
  operationId: 'getLiveness',
  summary: 'Liveness: are all loops making progress? Checks no dependency.',
  access: 'anyone',
  responses: {
    200: {
      description:
        'Every loop made progress or was idle within its limit, or is waiting for a store that is down',
      content: {
        'application/json': {
          schema: z.object({
            status: z.literal('Live'),
            loops: z.array(z.object({ name: z.string(), silentMs: z.int().min(0) })),
          }),
          example: { status: 'Live', loops: [{ name: 'worker', silentMs: 12 }] },
        },
      },
    },
    ...problemResponses(503),
  },
})
const readyz = statusRoute(
  '/readyz',
  'getReadiness',
  'Readiness: can the service serve requests? Fails as soon as it begins to stop.',
  'Ready',
)
const startupz = statusRoute('/startupz', 'getStartup', 'Startup: has the service started?', 'Started')

/** The probes on the service's own port, for load balancers and people. */
export function mountProbes(app: App, { liveness, ready, stopping }: ProbeOptions): void {
  app.addRoute(livez, () => {
    const loops = liveness.pulses.map(({ name, silentMs }) => ({ name, silentMs: Math.round(silentMs) }))
    const hung = liveness.hung()
    if (hung.length === 0) return reply(200, { status: 'Live' as const, loops })
    throw new Problem('loop-hung', {
      detail: hung.map(({ name, why }) => `${name} ${why}`).join(', '),
      extensions: { loops },
    })
  })

  app.addRoute(readyz, async () => {
    if (stopping.aborted) throw new Problem('not-ready', { detail: 'The service is stopping.' })
    try {
      await within(readyLimitMs, 'reach the database', ready())
    } catch (cause) {
      const detail = cause instanceof GoneBack ? cause.message : 'The database is not responding.'
      throw new Problem('not-ready', { detail, cause })
    }
    return reply(200, { status: 'Ready' })
  })
}

/** All probes and metrics, for supervisors. */
export function mountHealth(app: App, { metrics, ...options }: HealthOptions): void {
  mountProbes(app, options)

  // This port opens once the service has started.
  app.addRoute(startupz, () => reply(200, { status: 'Started' }))

  app.get('/metrics', async (c) =>
    c.text(await metrics.text(), 200, {
      ...safeHeaders,
      'content-type': metrics.registry.contentType,
    }),
  )
}
