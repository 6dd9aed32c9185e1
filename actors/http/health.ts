/** What a supervisor asks: is it alive, is it ready, has it started. */
import { createRoute, z } from '@hono/zod-openapi'
import type { Metrics } from '../metrics.ts'
import type { App } from './app.ts'
import type { Liveness } from './liveness.ts'
import { Problem, problemResponses, within } from './problem.ts'

export type HealthOptions = {
  liveness: Liveness
  /** Rejects when the service cannot serve. */
  ready: () => Promise<unknown>
  started: () => boolean
  stopping: AbortSignal
  metrics: Metrics
}

const readyLimitMs = 1_000

const statusRoute = (path: string, summary: string, status: string) =>
  createRoute({
    method: 'get',
    path,
    summary,
    tags: ['health'],
    responses: {
      200: {
        description: 'Yes',
        content: { 'application/json': { schema: z.object({ status: z.literal(status) }) } },
      },
      ...problemResponses(503),
    },
  })

const livez = createRoute({
  method: 'get',
  path: '/livez',
  summary: 'Does the process turn? Never asks a dependency.',
  tags: ['health'],
  responses: {
    200: {
      description: 'Every loop made progress or was idle within its limit, or waits for a store that is down',
      content: {
        'application/json': {
          schema: z.object({
            status: z.literal('live'),
            loops: z.array(z.object({ name: z.string(), silentMs: z.int().min(0) })),
          }),
        },
      },
    },
    ...problemResponses(503),
  },
})
const readyz = statusRoute(
  '/readyz',
  'May requests be sent here? False from the first moment of stopping.',
  'ready',
)
const startupz = statusRoute('/startupz', 'Has the service started?', 'started')

export function mountHealth(app: App, options: HealthOptions): void {
  const { liveness, ready, started, stopping, metrics } = options

  app.openapi(livez, (c) => {
    const loops = liveness.pulses.map(({ name, silentMs }) => ({ name, silentMs: Math.round(silentMs) }))
    const hung = liveness.hung()
    if (hung.length === 0) return c.json({ status: 'live' as const, loops }, 200)
    throw new Problem('loop-hung', {
      detail: hung.map(({ name, why }) => `${name} ${why}`).join(', '),
      extensions: { loops },
    })
  })

  app.openapi(readyz, async (c) => {
    if (stopping.aborted) throw new Problem('not-ready', { detail: 'The service is stopping.' })
    try {
      await within(readyLimitMs, 'reach the database', ready())
    } catch (cause) {
      throw new Problem('not-ready', { detail: 'The database does not answer.', cause })
    }
    return c.json({ status: 'ready' }, 200)
  })

  app.openapi(startupz, (c) => {
    if (!started()) throw new Problem('not-ready', { detail: 'The service is starting.' })
    return c.json({ status: 'started' }, 200)
  })

  app.get('/metrics', async (c) =>
    c.text(await metrics.registry.metrics(), 200, { 'content-type': metrics.registry.contentType }),
  )
}
