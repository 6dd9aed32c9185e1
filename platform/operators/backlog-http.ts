/** Summarizes what a service has not delivered, decided or done yet: how much, and since when. */
import { z } from '@hono/zod-openapi'
import type { Sql } from '../../streams/postgres.ts'
import type { App } from '../http/app.ts'
import { collection } from '../http/paging.ts'
import type { Reads } from '../http/reads.ts'
import { reply } from '../http/reply.ts'
import { pageAnswer, routesOf } from '../http/route.ts'

const routes = routesOf('operator')

/** Up to which a service counts, so that the summary of a long backlog is read as fast as another. */
export const countMax = 10_000

/** The kinds of backlog that a service has, each with its description. */
export type BacklogKinds = Record<string, string>

export type BacklogItem = {
  name: string
  channel: string | null
  count: number
  oldestSeconds: number | null
}

export type BacklogHttpOptions = {
  app: App
  /** For lists. */
  reads: Reads
  backlogKinds: BacklogKinds
  /** Returns every kind of backlog, each counted up to `countMax`. */
  readBacklog(sql: Sql): Promise<BacklogItem[]>
}

function routeOf(kinds: BacklogKinds) {
  const [first = '', ...others] = Object.keys(kinds)
  const described = Object.entries(kinds).map(([name, description]) => `\`${name}\`: ${description}`)
  const itemSchema = z
    .object({
      name: z.enum([first, ...others]).describe(described.join('. ')),
      channel: z.string().nullable().describe('Of notices that are counted by channel'),
      count: z.int().describe(`Counted up to ${countMax}, which means that many or more`),
      oldestSeconds: z.number().nullable().describe('How long the oldest has waited. `null`: none waits'),
    })
    .openapi('BacklogItem')
  return routes.get('/backlog', {
    operationId: 'getBacklog',
    summary: 'Summarize the backlog: how much waits, and for how long',
    access: ['operator'],
    responses: {
      200: pageAnswer({
        as: 'Backlog',
        name: 'backlog',
        item: itemSchema,
        description: 'Every kind of backlog, also those that are empty',
        example: { name: first, channel: null, count: 2, oldestSeconds: 4.2 },
        path: '/backlog',
      }),
    },
  })
}

export function mountBacklog({ app, reads, backlogKinds, readBacklog }: BacklogHttpOptions): void {
  app.addRoute(routeOf(backlogKinds), async (c) => {
    const items = await reads.for(c, readBacklog)
    return reply(200, collection('backlog', c, items))
  })
}

/** @param seconds of the oldest; undefined or `null` if there is none. */
export const backlogItem = (
  name: string,
  count: number,
  seconds: number | null | undefined,
  channel: string | null = null,
): BacklogItem => ({
  name,
  channel,
  count,
  oldestSeconds: count > 0 && seconds != null ? Math.max(0, Math.round(seconds * 1_000) / 1_000) : null,
})
