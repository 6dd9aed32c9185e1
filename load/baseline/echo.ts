/** The least a Hono server can do with a body: what the client itself costs shows against it. */
import { serve } from '@hono/node-server'
import { Hono } from 'hono'

const app = new Hono()
app.post('/reservations', async (c) => c.json({ ...(await c.req.json()), status: 'Reserved' }, 201))
app.get('/readyz', (c) => c.json({ status: 'ready' }))
serve({ fetch: app.fetch, port: Number(process.env.PORT), hostname: '127.0.0.1' })
