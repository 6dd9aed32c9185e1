/** The endpoint of every contender: the same as the product's, with the same framework and validation. */
import { randomUUID } from 'node:crypto'
import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi'
import { idSchema } from '../../../actors/messages.ts'
import { serve } from '../../../platform/http/serve.ts'

const requestSchema = z.object({ bookid: idSchema, userid: idSchema })
const reservationSchema = z.object({
  id: z.uuid(),
  bookid: z.string(),
  userid: z.string(),
  status: z.enum(['Reserved', 'Failed']),
  _links: z.object({ self: z.object({ href: z.string() }) }),
})

export type Decision = 'Reserved' | 'Failed'

/** @param decide resolves once the decision is durable. */
export async function serveReservations(
  decide: (id: string, bookid: string, userid: string) => Promise<Decision>,
): Promise<void> {
  const app = new OpenAPIHono()
  app.openapi(
    createRoute({
      method: 'post',
      path: '/reservations',
      request: { body: { required: true, content: { 'application/json': { schema: requestSchema } } } },
      responses: {
        201: { description: 'Decided', content: { 'application/json': { schema: reservationSchema } } },
      },
    }),
    async (c) => {
      const { bookid, userid } = c.req.valid('json')
      const id = randomUUID()
      const status = await decide(id, bookid, userid)
      const self = `/reservations/${id}`
      return c.json({ id, bookid, userid, status, _links: { self: { href: self } } }, 201, { location: self })
    },
  )
  app.get('/readyz', (c) => c.json({ status: 'ready' }))
  await serve(app, { host: '127.0.0.1', port: Number(process.env.PORT) })
}
