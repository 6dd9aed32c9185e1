/** The server that `cost.alone.test.ts` measures: the route that reserves, without stores, or bare Hono. */
import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'
import type { Acceptance } from '../../../actors/reservation/acceptance.ts'
import { mountReservations } from '../../../actors/reservation/http.ts'
import { type NewReservation, type Reservation, unset } from '../../../actors/reservation/reservation.ts'
import { createLog } from '../../log.ts'
import { createMetrics } from '../../metrics.ts'
import { uuidv7 } from '../../uuid.ts'
import { createApp } from '../app.ts'
import { placesToWait } from '../held.ts'
import { serve } from '../serve.ts'

/** All decisions come with the next turn of the loop. */
let turn: Promise<void> | undefined
function decision(): Promise<void> {
  turn ??= new Promise((resolve) => {
    setImmediate(() => {
      turn = undefined
      resolve()
    })
  })
  return turn
}

function decided({ bookid, userid }: NewReservation, now = new Date()): Reservation {
  const reservationid = uuidv7(now.getTime())
  return {
    reservationid,
    bookid,
    userid,
    ...unset,
    status: 'Reserved',
    created_at: now,
    updated_at: now,
  }
}

const acceptance: Pick<Acceptance, 'accept'> = {
  async accept(asked, _waitMs, gone) {
    const leave = () => {}
    gone?.addEventListener('abort', leave)
    asked.limit.pause()
    await decision()
    asked.limit.resume()
    gone?.removeEventListener('abort', leave)
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
    const { reservationid, bookid, userid, status, reason, created_at, updated_at } = decided(asked)
    const self = `/reservations/${reservationid}`
    const body = {
      reservationid,
      bookid,
      userid,
      status,
      reason,
      createdAt: created_at.toISOString(),
      updatedAt: updated_at.toISOString(),
      _links: { self: { href: self }, events: { href: `${self}/events` } },
    }
    return c.json(body, 201, { location: self })
  })
  const server = createAdaptorServer({ fetch: app.fetch })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as { port: number }).port
}

const port = process.argv[2] === 'ours' ? await serveOurs() : await serveBare()
process.on('message', () => process.send!(process.cpuUsage()))
process.send!(port)
