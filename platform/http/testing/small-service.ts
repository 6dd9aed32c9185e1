/** A service without stores, for tests of a process's life: `node small-service.ts [fault]`. */
import { setTimeout } from 'node:timers/promises'
import { z } from '@hono/zod-openapi'
import { Pulse } from '../../../streams/pulse.ts'
import { runService } from '../../service.ts'
import { createApp } from '../app.ts'
import { reply } from '../reply.ts'
import { routesOf } from '../route.ts'

const routes = routesOf('things')

const fault = process.argv[2]
const body = z.object({ qty: z.int() })
const answer = { 200: { description: 'ok', content: { 'application/json': { schema: body } } } }
const echo = routes.post('/echo', {
  access: 'anyone',
  request: { body: { content: { 'application/json': { schema: body } }, required: true } },
  responses: answer,
})
const slow = routes.get('/slow', { access: 'anyone', responses: answer })

await runService('notifier', async ({ config, log, metrics, signal, stopping }) => {
  const { publicUrl, corsOrigins } = config
  const about = { service: 'small', title: 'Small', description: '', publicUrl }
  const app = createApp({ ...about, corsOrigins, log, metrics })
  app.addRoute(echo, (c) => reply(200, c.req.valid('json')))
  // Responds only while the service stops, after the drain.
  app.addRoute(slow, async () => {
    log.info('slow begins')
    await aborted(stopping)
    await setTimeout(800)
    log.info('slow ends')
    return reply(200, { qty: 1 })
  })
  const loop = async () => {
    if (fault === 'loop') throw new Error('The loop is broken')
    await (fault === 'stuck' ? forever() : aborted(signal))
    log.info('loop stops')
    await setTimeout(200)
    log.info('loop done')
  }
  if (fault === 'crash') queueMicrotask(() => void Promise.reject(new Error('Uncaught on purpose')))
  return {
    app,
    pulses: () => [new Pulse('loop')],
    ready: async () => {},
    loops: [loop()],
    close: async () => log.info('stores closed'),
  }
})

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** Never resolves, and keeps the process alive. */
function forever(): Promise<void> {
  return new Promise(() => setInterval(() => {}, 60_000))
}
