/** Follows one reservation with Server-Sent Events: its current status, then each change. */
import type { Context } from 'hono'
import { streamSSE } from 'hono/streaming'
import { safeHeaders } from '../../platform/http/reply.ts'
import { answered, type Desk } from './desk.ts'
import { isFinal, type Reservation, type Status } from './reservation.ts'
import { toBody } from './resource.ts'

/** When a client is to reconnect. Without it browsers take 3 to 5 s, which every rollout would cost them. */
const reconnectAfterMs = 1_000

/** nginx passes events on at once instead of collecting them. */
const headers = { ...safeHeaders, 'x-accel-buffering': 'no' }

/** A regular comment keeps proxies from closing an idle stream, and reveals that a client is gone. */
const heartbeatMs = 15_000

export type FollowOptions = {
  reservation: Reservation
  desk: Desk
  stopping: AbortSignal
  /** This request's place among the held requests. The stream keeps it until it ends. */
  place: DisposableStack
}

/** An event's id is the status, so a client that reconnects after the final event gets 204 and stops reconnecting. */
export function follow(c: Context, { reservation, desk, stopping, place }: FollowOptions): Response {
  if (isFinal(reservation.status) && c.req.header('last-event-id') === reservation.status)
    return c.body(null, 204, safeHeaders)
  // HEAD runs this handler and discards the body unread: the stream would never end.
  if (c.req.method === 'HEAD') return c.body(null, 200, { ...headers, 'content-type': 'text/event-stream' })
  const ownPlace = place.move()
  const response = streamSSE(c, async (stream) => {
    let current = reservation
    let sent: Status | undefined
    let changed = Promise.withResolvers<void>()
    const stopListening = desk.listen(reservation.reservationid, (answer) => {
      current = answered(current, answer)
      changed.resolve()
    })
    const stop = () => changed.resolve()
    stream.onAbort(stop)
    stopping.addEventListener('abort', stop)
    const heartbeat = setInterval(() => void stream.write(': still here\n\n'), heartbeatMs)
    try {
      while (!stream.aborted && !stopping.aborted) {
        if (current.status !== sent) {
          const retry = sent === undefined ? { retry: reconnectAfterMs } : {}
          sent = current.status
          await stream.writeSSE({
            event: 'status',
            id: sent,
            data: JSON.stringify(toBody(current)),
            ...retry,
          })
        }
        if (isFinal(sent)) break
        await changed.promise
        changed = Promise.withResolvers()
      }
    } finally {
      clearInterval(heartbeat)
      stopping.removeEventListener('abort', stop)
      stopListening()
      ownPlace.dispose()
    }
  })
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value)
  return response
}
