/** A small app with one route of each kind, served over real HTTP. */
import { z } from '@hono/zod-openapi'
import { idSchema, qtySchema, textSchema } from '../../../actors/messages.ts'
import { createLog } from '../../log.ts'
import { createMetrics } from '../../metrics.ts'
import { type App, type AppOptions, createApp } from '../app.ts'
import { idempotencyHeader } from '../idempotency.ts'
import { collection, collectionSchema, decodeAfter, encodeAfter, pageQuery } from '../paging.ts'
import { Problem, problemResponses } from '../problem.ts'
import { jsonHeaders, reply } from '../reply.ts'
import { routesOf } from '../route.ts'
import { type Listener, serve } from '../serve.ts'

const routes = routesOf('things')

const thing = z.object({ id: idSchema, qty: qtySchema, note: textSchema.optional() })
const json = <Schema extends z.ZodType>(schema: Schema) => ({ content: { 'application/json': { schema } } })

const postThing = routes.post('/things', {
  access: 'anyone',
  request: {
    headers: z.object({ 'idempotency-key': idempotencyHeader }),
    body: { ...json(thing), required: true },
  },
  responses: { 201: { description: 'made', ...json(thing) }, ...problemResponses(409) },
})
const getThing = routes.get('/things/{id}', {
  access: 'anyone',
  request: { params: z.object({ id: idSchema }) },
  responses: { 200: { description: 'found', ...json(thing) }, ...problemResponses(404) },
})
const listThings = routes.get('/things', {
  access: 'anyone',
  request: { query: z.object({ ...pageQuery, note: textSchema.optional() }) },
  responses: { 200: { description: 'a page', ...json(collectionSchema('things', thing)) } },
})
const fault = routes.get('/fault', {
  access: 'anyone',
  responses: { 200: { description: 'never', ...json(thing) } },
})

export type Bench = {
  app: App
  url: string
  /** The bodies that reached the handler of `POST /things`. */
  made: z.infer<typeof thing>[]
  metrics: ReturnType<typeof createMetrics>
  listener: Listener
  [Symbol.asyncDispose](): Promise<void>
}

export type BenchOptions = Pick<AppOptions, 'publicUrl' | 'corsOrigins' | 'guard'> & {
  /** Thrown by `GET /fault`. */
  error?: () => unknown
  signal?: AbortSignal
  mount?(app: App): void
}

const total = 5

export async function serveBench({
  error,
  signal,
  mount,
  guard,
  ...options
}: BenchOptions = {}): Promise<Bench> {
  const metrics = createMetrics('bench')
  const log = createLog('bench', 'silent')
  const about = { service: 'bench', title: 'Bench', description: 'For tests', ...options }
  const app = createApp({ ...about, log, metrics, guard })
  const made: z.infer<typeof thing>[] = []
  app.addRoute(postThing, (c) => {
    const body = c.req.valid('json')
    made.push(body)
    return reply(201, body, { ...jsonHeaders, location: `/things/${body.id}` })
  })
  app.addRoute(getThing, (c) => {
    const { id } = c.req.valid('param')
    if (id === 'none') throw new Problem('not-found', { detail: 'There is no such thing.' })
    return reply(200, { id, qty: 1 })
  })
  app.addRoute(listThings, (c) => {
    const { limit, after } = c.req.valid('query')
    const first = after === undefined ? 0 : Number(decodeAfter(after, 1)[0]) + 1
    const items = Array.from({ length: Math.min(limit, total - first) }, (_, i) => ({
      id: String(first + i),
      qty: 1,
    }))
    const last = first + items.length - 1
    return reply(
      200,
      collection('things', c, items, last < total - 1 ? encodeAfter([String(last)]) : undefined),
    )
  })
  app.addRoute(fault, () => {
    throw error?.() ?? new Error('secret')
  })
  mount?.(app)
  const listener = await serve(app, { host: '127.0.0.1', port: 0, signal })
  const url = `http://127.0.0.1:${listener.port}`
  return { app, url, made, metrics, listener, [Symbol.asyncDispose]: () => listener.close(0) }
}

export type ProblemBody = {
  type: string
  title: string
  status: number
  detail?: string
  errors?: { pointer?: string; parameter?: string; detail: string }[]
  loops?: { name: string; silentMs: number }[]
}
