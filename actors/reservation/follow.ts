/** Following one reservation by Server-Sent Events: its status now, then each change. */
import type { Context } from 'hono'
import { streamSSE } from 'hono/streaming'
import { safeHeaders } from '../http/reply.ts'
import type { Desk } from './desk.ts'
import { isFinal, type Reservation, type Status } from './reservation.ts'
import type { ReservationBody } from './resource.ts'

/** A comment now and then keeps proxies from closing a quiet stream, and tells us when the client is gone. */
const heartbeatMs = 15_000

export type Followed = {
  reservation: Reservation
  desk: Desk
  stopping: AbortSignal
  toBody(reservation: Reservation): ReservationBody
  /** The place of this request among those that are held, which the stream keeps until its end. */
  place: DisposableStack
}

/** The id of an event is the status: a client that reconnects after the last event is told with 204 to stay away. */
export function follow(c: Context, { reservation, desk, stopping, toBody, place }: Followed): Response {
  if (isFinal(reservation.status) && c.req.header('last-event-id') === reservation.status)
    return c.body(null, 204)
  // HEAD runs the handler of GET and drops the body unread: a stream that nobody reads would never end.
  if (c.req.method === 'HEAD')
    return c.body(null, 200, { ...safeHeaders, 'content-type': 'text/event-stream' })
  const kept = place.move()
  const response = streamSSE(c, async (stream) => {
    let current = reservation
    let told: Status | undefined
    let wake = Promise.withResolvers<void>()
    const stopListening = desk.listen(reservation.reservationid, ({ updatedAt, ...answer }) => {
      current = { ...current, ...answer, updated_at: new Date(updatedAt) }
      wake.resolve()
    })
    const stop = () => wake.resolve()
    stream.onAbort(stop)
    stopping.addEventListener('abort', stop)
    const heartbeat = setInterval(() => void stream.write(': still here\n\n'), heartbeatMs)
    try {
      while (!stream.aborted && !stopping.aborted) {
        if (current.status !== told) {
          told = current.status
          await stream.writeSSE({ event: 'status', id: told, data: JSON.stringify(toBody(current)) })
        }
        if (isFinal(told)) break
        await wake.promise
        wake = Promise.withResolvers()
      }
    } finally {
      clearInterval(heartbeat)
      stopping.removeEventListener('abort', stop)
      stopListening()
      kept.dispose()
    }
  })
  for (const [name, value] of Object.entries(safeHeaders)) response.headers.set(name, value)
  return response
}
