/**
 * Follows one reservation with Server-Sent Events: its current status, then each change. While it waits, its position is sent
 * too, at most once a minute.
 */
import type { Context } from 'hono'
import { streamSSE } from 'hono/streaming'
import { safeHeaders } from '../../platform/http/reply.ts'
import { answered, type Desk } from './desk.ts'
import type { Positions } from './positions.ts'
import { isFinal, type Reservation } from './reservation.ts'
import { toBody } from './resource.ts'

/** When a client is to reconnect. Without it browsers take 3 to 5 s, which every rollout would cost them. */
const reconnectAfterMs = 1_000

/** nginx passes events on at once instead of collecting them. */
const headers = { ...safeHeaders, 'x-accel-buffering': 'no' }

/** A regular comment keeps proxies from closing an idle stream, and reveals that a client is gone. */
const heartbeatMs = 15_000

export type FollowOptions = {
  reservation: Reservation
  desk: Pick<Desk, 'listen'>
  positions: Pick<Positions, 'follow'>
  /** Reads the reservation again. */
  read(): Promise<Reservation | undefined>
  stopping: AbortSignal
  /** This request's place among the held requests. The stream keeps it until it ends. */
  place: DisposableStack
}

/** An event's id is the status, so a client that reconnects after the final event gets 204 and stops reconnecting. */
export function follow(c: Context, options: FollowOptions): Response {
  const { reservation, desk, positions, stopping, place } = options
  if (isFinal(reservation.status) && c.req.header('last-event-id') === reservation.status)
    return c.body(null, 204, safeHeaders)
  // HEAD runs this handler and discards the body unread: the stream would never end.
  if (c.req.method === 'HEAD') return c.body(null, 200, { ...headers, 'content-type': 'text/event-stream' })
  const ownPlace = place.move()
  const response = streamSSE(c, async (stream) => {
    let current = reservation
    let sent: Reservation | undefined
    let changed = Promise.withResolvers<void>()
    const refresh = async () => {
      const asked = current
      const row = await options.read().catch(() => undefined)
      if (!row || current.status !== asked.status || current.updated_at > asked.updated_at) return
      current = row
      changed.resolve()
    }
    const stopListening = desk.listen(reservation.reservationid, (answer) => {
      const next = answered(current, answer)
      // It was looked up before the last change, or the clock of Postgres was set back.
      if (next.updated_at < current.updated_at) return void refresh()
      current = next
      changed.resolve()
    })
    const stopPositions = positions.follow({
      current: () => current,
      moved(queue) {
        if (current.status !== 'Waiting') return
        current = { ...current, queue }
        changed.resolve()
      },
    })
    const stop = () => changed.resolve()
    stream.onAbort(stop)
    stopping.addEventListener('abort', stop)
    const heartbeat = setInterval(() => void stream.write(': still here\n\n'), heartbeatMs)
    try {
      while (!stream.aborted && !stopping.aborted) {
        const event = newsOf(current, sent)
        if (event) {
          // An answer does not have the place.
          if (event === 'status' && sent && current.status === 'Waiting') await refresh()
          const retry = sent === undefined ? { retry: reconnectAfterMs } : {}
          sent = current
          const data = JSON.stringify(toBody(sent))
          await stream.writeSSE({ event, id: sent.status, data, ...retry })
          if (isFinal(sent.status)) break
        }
        await changed.promise
        changed = Promise.withResolvers()
      }
    } finally {
      clearInterval(heartbeat)
      stopping.removeEventListener('abort', stop)
      stopListening()
      stopPositions()
      ownPlace.dispose()
    }
  })
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value)
  return response
}

/** @returns the event that a client needs to see, if there is one. */
function newsOf(current: Reservation, sent: Reservation | undefined): 'status' | 'position' | undefined {
  if (!sent || current.status !== sent.status) return 'status'
  if (current.status === 'Ready') return same(current.pickup_by, sent.pickup_by) ? undefined : 'status'
  const [now, before] = [current.queue, sent.queue]
  return now?.position !== before?.position || now?.waiting !== before?.waiting ? 'position' : undefined
}

const same = (a: Date | null, b: Date | null): boolean => a?.getTime() === b?.getTime()
