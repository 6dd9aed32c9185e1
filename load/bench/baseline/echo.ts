/** The minimum that a Hono server can do with a body. It shows the cost of the client. */
import { Hono } from 'hono'
import { serve } from '../../../platform/http/serve.ts'

const app = new Hono()
app.post('/reservations', async (c) => c.json({ ...(await c.req.json()), status: 'Requested' }, 201))
app.get('/readyz', (c) => c.json({ status: 'ready' }))
await serve(app, { host: '127.0.0.1', port: Number(process.env.PORT) })
