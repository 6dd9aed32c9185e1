/**
 * Follows reservations with Server-Sent Events: the current status of each, then each change, until all are final. While one
 * waits, its position is sent too, at most once a minute. A stream ends with the token of its caller, who reconnects with another.
 */
import type { Context } from 'hono'
import { streamSSE } from 'hono/streaming'
import { safeHeaders } from '../../platform/http/reply.ts'
import { Followed, type FollowedOptions } from './followed.ts'
import type { Reservation } from './reservation.ts'
import { toBody } from './resource.ts'

/** The delay before a client reconnects. Without it browsers take 3 to 5 s, which every rollout would cost them. */
const reconnectAfterMs = 1_000

/** nginx passes events on at once instead of collecting them. */
const headers = { ...safeHeaders, 'x-accel-buffering': 'no' }

/** A regular comment keeps proxies from closing an idle stream, and reveals that a client is gone. */
const heartbeatMs = 15_000

type FollowOptions = FollowedOptions & {
  reservations: Reservation[]
  /** The id of an event, which a client that reconnects sends back. */
  idOf(reservation: Reservation): string
  stopping: AbortSignal
  /** When the caller's token ends, milliseconds since 1970. Undefined if it does not. */
  expiresAt?: number | undefined
  /** This request's places among the held requests. The stream keeps them until it ends. */
  places: DisposableStack
}

export function follow(c: Context, options: FollowOptions): Response {
  const { reservations, idOf, stopping, expiresAt = Number.POSITIVE_INFINITY, places } = options
  // HEAD runs this handler and discards the body unread: the stream would never end.
  if (c.req.method === 'HEAD') return c.body(null, 200, { ...headers, 'content-type': 'text/event-stream' })
  const ownPlaces = places.move()
  const response = streamSSE(c, async (stream) => {
    let changed = Promise.withResolvers<void>()
    const wake = () => changed.resolve()
    const followed = reservations.map((it) => ownPlaces.use(new Followed(it, options, wake)))
    stream.onAbort(wake)
    stopping.addEventListener('abort', wake)
    const heartbeat = setInterval(() => void stream.write(': still here\n\n'), heartbeatMs)
    const isOpen = () => !stream.aborted && !stopping.aborted && Date.now() < expiresAt
    const expiry = Number.isFinite(expiresAt) ? wakeAt(expiresAt, wake) : undefined
    let retry: { retry?: number } = { retry: reconnectAfterMs }
    try {
      while (isOpen()) {
        for (const it of followed) {
          const news = isOpen() ? await it.next() : undefined
          if (!news) continue
          const { event, reservation } = news
          const data = JSON.stringify(toBody(reservation))
          await stream.writeSSE({ event, id: idOf(reservation), data, ...retry })
          retry = {}
        }
        if (followed.every((it) => it.isOver)) break
        await changed.promise
        changed = Promise.withResolvers()
      }
    } finally {
      clearInterval(heartbeat)
      clearTimeout(expiry)
      stopping.removeEventListener('abort', wake)
      ownPlaces.dispose()
    }
  })
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value)
  return response
}

/** The longest that a timer can be set to. A token that is valid for longer than 24 days has its stream ended then. */
const timerMaxMs = 2 ** 31 - 1

/** Timers may fire a millisecond early. */
const wakeAt = (at: number, wake: () => void): NodeJS.Timeout =>
  setTimeout(wake, Math.min(Math.max(0, at - Date.now()) + 1, timerMaxMs))

/** Answers a client that has nothing to follow. It stops reconnecting. */
export const nothingToFollow = (c: Context): Response => c.body(null, 204, safeHeaders)
