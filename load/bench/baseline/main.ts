/**
 * What the product is measured against: the same endpoint, framework and validation, with the row lock that most
 * people write first. One transaction per request takes a copy and records the reservation. `sql.begin` is not how the
 * product talks to Postgres (a transaction may tear when its connection dies); it is what is commonly written.
 */
import { randomUUID } from 'node:crypto'
import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi'
import postgres from 'postgres'
import { serve } from '../../../actors/http/serve.ts'
import { idSchema } from '../../../actors/messages.ts'

const poolSize = 10

const requestSchema = z.object({ bookid: idSchema, userid: idSchema })
const reservationSchema = z.object({
  id: z.uuid(),
  bookid: z.string(),
  userid: z.string(),
  status: z.enum(['Reserved', 'Failed']),
  _links: z.object({ self: z.object({ href: z.string() }) }),
})

const sql = postgres(process.env.DATABASE_URL!, { max: poolSize, onnotice: () => {} })
await sql`create table if not exists stock (
  bookid text primary key, qty bigint not null check (qty >= 0))`
await sql`create table if not exists reservation (
  id uuid primary key, bookid text not null, userid text not null, status text not null,
  created_at timestamptz not null default now())`

async function reserve(id: string, bookid: string, userid: string): Promise<'Reserved' | 'Failed'> {
  return await sql.begin(async (tx) => {
    const taken = await tx`update stock set qty = qty - 1 where bookid = ${bookid} and qty > 0`
    const status = taken.count === 1 ? 'Reserved' : 'Failed'
    await tx`insert into reservation (id, bookid, userid, status) values (${id}, ${bookid}, ${userid}, ${status})`
    return status
  })
}

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
    const status = await reserve(id, bookid, userid)
    const self = `/reservations/${id}`
    return c.json({ id, bookid, userid, status, _links: { self: { href: self } } }, 201, { location: self })
  },
)
app.get('/readyz', (c) => c.json({ status: 'ready' }))

await serve(app, { host: '127.0.0.1', port: Number(process.env.PORT) })
