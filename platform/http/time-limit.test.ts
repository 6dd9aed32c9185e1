import { setTimeout as sleep } from 'node:timers/promises'
import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { expect, test } from 'vitest'
import { nameKeyToRepeatWith } from './idempotency.ts'
import { reply } from './reply.ts'
import { routesOf } from './route.ts'
import { type ProblemBody, serveBench } from './testing/bench.ts'
import { answerWithinMs, TimeLimit } from './time-limit.ts'

const body = z.object({ waitedMs: z.number() })
const routeOf = (path: string) =>
  routesOf('test').get(path, {
    access: 'anyone',
    responses: { 200: { description: 'ok', content: { 'application/json': { schema: body } } } },
  })
const longWaitMs = answerWithinMs + 600
/** How far a client may see the limit exceeded, on a busy machine. */
const slackMs = 1_000

let letGo = Promise.withResolvers<void>()

async function unlimited(c: Context): Promise<void> {
  const limit = TimeLimit.of(c)
  limit.pause()
  await sleep(longWaitMs)
  limit.resume()
}

const opened = () =>
  serveBench({
    mount(app) {
      // Each of its statements alone is fast enough.
      app.addRoute(routeOf('/many'), async () => {
        for (let statements = 0; statements < 6; statements++) await sleep(500)
        return reply(200, { waitedMs: 0 })
      })
      app.addRoute(routeOf('/for-ever'), () => new Promise<never>(() => {}))
      app.addRoute(routeOf('/fails-late'), async () => {
        await sleep(answerWithinMs + 100)
        throw new Error('No request waits for this any more')
      })
      // It has no reader, so only a cancel ends it.
      app.addRoute(routeOf('/streams-late'), async () => {
        await sleep(answerWithinMs + 100)
        return new Response(new ReadableStream({ cancel: () => letGo.resolve() })) as never
      })
      app.addRoute(routeOf('/waits'), async (c) => {
        await unlimited(c)
        return reply(200, { waitedMs: longWaitMs })
      })
      app.addRoute(routeOf('/waits-and-works'), async (c) => {
        nameKeyToRepeatWith(c, 'k-1')
        await sleep(answerWithinMs / 2)
        await unlimited(c)
        await sleep(answerWithinMs)
        return reply(200, { waitedMs: longWaitMs })
      })
    },
  })

async function timed(url: string) {
  const startedAt = performance.now()
  const response = await fetch(url)
  const problem = (await response.json()) as ProblemBody
  return { response, problem, tookMs: performance.now() - startedAt }
}

test.concurrent.each(['/many', '/for-ever', '/fails-late'])(
  '%s: a request gets a 503 with Retry-After in time, whatever takes so long',
  async (path) => {
    await using bench = await opened()
    const { response, problem, tookMs } = await timed(bench.url + path)
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('1')
    expect(problem.type).toBe('/problems/unavailable')
    expect(tookMs).toBeGreaterThanOrEqual(answerWithinMs - 10)
    expect(tookMs).toBeLessThan(answerWithinMs + slackMs)
  },
)

test.concurrent('a stream that comes too late is canceled', async () => {
  letGo = Promise.withResolvers()
  await using bench = await opened()
  expect((await timed(`${bench.url}/streams-late`)).response.status).toBe(503)
  await letGo.promise
})

test.concurrent('a wait that is part of the call does not count', async () => {
  await using bench = await opened()
  const { response } = await timed(`${bench.url}/waits`)
  expect(response.status).toBe(200)
})

test.concurrent('work before and after a wait counts together, and the 503 names the key to repeat it with', async () => {
  await using bench = await opened()
  const { response, problem, tookMs } = await timed(`${bench.url}/waits-and-works`)
  expect(response.status).toBe(503)
  expect(problem.detail).toContain('Idempotency-Key: k-1')
  expect(tookMs).toBeLessThan(longWaitMs + answerWithinMs + slackMs)
})
