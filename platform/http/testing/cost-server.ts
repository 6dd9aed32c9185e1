/** The server that `cost.alone.test.ts` measures: the route that reserves, without stores, or bare Hono. */
import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'
import type { Acceptance } from '../../../actors/reservation/acceptance.ts'
import { mountReservations } from '../../../actors/reservation/http.ts'
import { type NewReservation, type Reservation, requested } from '../../../actors/reservation/reservation.ts'
import { toBody } from '../../../actors/reservation/resource.ts'
import { tuneHeap } from '../../heap.ts'
import { createLog } from '../../log.ts'
import { createMetrics } from '../../metrics.ts'
import { uuidv7 } from '../../uuid.ts'
import { createApp } from '../app.ts'
import { placesToWait } from '../held.ts'
import { serve } from '../serve.ts'

const kind = process.argv[2]
let heldMs = 0

/** The requests of a turn of the loop are decided together: after the time for which they are held, or with the next turn. */
let turn: Promise<void> | undefined
function decision(): Promise<void> {
  if (turn) return turn
  const { promise, resolve } = Promise.withResolvers<void>()
  turn = promise
  setImmediate(() => {
    turn = undefined
    if (heldMs === 0) resolve()
    else setTimeout(resolve, heldMs)
  })
  return turn
}

function decided({ bookid, userid }: NewReservation, now = new Date()): Reservation {
  const reservationid = uuidv7(now.getTime())
  return { ...requested({ reservationid, bookid, userid }, now), status: 'Reserved' }
}

const acceptance: Pick<Acceptance, 'accept'> = {
  async accept(asked) {
    asked.limit.pause()
    await decision()
    asked.limit.resume()
    return decided(asked.wanted)
  },
}

async function serveOurs(): Promise<number> {
  const metrics = createMetrics('reservation')
  const log = createLog('reservation', 'silent')
  const app = createApp({ service: 'reservation', title: 'Cost', description: 'For a test', log, metrics })
  const held = placesToWait(metrics)
  const stopping = new AbortController().signal
  const nothing = undefined as never
  mountReservations({
    app,
    acceptance: acceptance as Acceptance,
    held,
    stopping,
    sql: nothing,
    lists: nothing,
    positions: nothing,
  })
  return (await serve(app, { host: '127.0.0.1', port: 0 })).port
}

async function serveBare(): Promise<number> {
  const app = new Hono()
  app.post('/reservations', async (c) => {
    const asked = await c.req.json()
    await decision()
    const body = toBody(decided(asked))
    return c.json(body, 201, { location: body._links.self.href })
  })
  const server = createAdaptorServer({ fetch: app.fetch })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as { port: number }).port
}

tuneHeap()
const port = kind === 'ours' ? await serveOurs() : await serveBare()
process.on('message', (message) => {
  if (typeof message === 'number') heldMs = message
  else process.send!(process.cpuUsage())
})
process.send!(port)
