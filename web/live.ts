/**
 * Live pages: a stream of pieces of HTML, each of which replaces the element with its id (`hx-swap-oob`).
 *
 * An open page holds one stream here, and this process one at the service behind it. If that breaks, it is opened again; the page
 * sees nothing of it. The stream ends with the event `over` when there is nothing left to follow, and without it when the process
 * stops: then the page connects again, to another process. It also ends when the session of the page does; the answer to the next
 * connection then says so (`streamOver`).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { streamSSE } from 'hono/streaming'
import { ApiDown } from './apis/call.ts'
import { type Html, html } from './html.ts'
import type { Visit } from './visit.ts'

/** Ends the connection of `liveRegion`. */
const over = 'over'

/** A comment keeps proxies from closing an idle stream, and reveals that a browser is gone. */
const heartbeatMs = 15_000
const againMinMs = 1_000
const againMaxMs = 15_000

const headers = { 'cache-control': 'no-store', 'x-accel-buffering': 'no' }

/** Connects the page with the stream at the path. Without scripts it is nothing. */
export const liveRegion = (path: string): Html =>
  html`<div hx-sse:connect="${path}" hx-sse:close="${over}" hx-swap="none"></div>
<p id="news" role="status" class="unseen"></p>`

/** By their paths. */
export const isStream = ({ c }: Visit): boolean => c.req.path.endsWith('/stream')

/** Answers a page whose session is over: it says so, and connects no more. */
export function streamOver(visit: Visit): Response {
  const { login } = visit.words
  const notice = html`<div id="notices" role="alert" hx-swap-oob="true"><p class="notice">${login.over}.
<a href="${visit.entrance('/')}">${login.in}</a></p></div>`
  const response = streamSSE(visit.c, async (stream) => {
    await stream.writeSSE({ data: oneLine(String(await notice)) })
    await stream.writeSSE({ event: over, data: over })
  })
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value)
  return response
}

/** Says a change to those who do not see it. */
export const news = (text: string): Html =>
  html`<p id="news" role="status" class="unseen" hx-swap-oob="true">${text}</p>`

/**
 * @param stopping aborted when the process stops.
 * @throws {Problem} when too many streams are open.
 * @param pieces opens the stream behind, and yields the pieces. Called again after it threw an `ApiDown`.
 */
export function live(
  visit: Visit,
  stopping: AbortSignal,
  pieces: (signal: AbortSignal) => AsyncIterable<Html>,
): Response {
  const { c } = visit
  // HEAD runs this handler and discards the body unread: the stream would never end.
  if (c.req.method === 'HEAD') return c.body(null, 200, { ...headers, 'content-type': 'text/event-stream' })
  const { login, streams } = visit.site
  const place = streams.take(login && visit.who?.userid)
  const response = streamSSE(c, async (stream) => {
    using _ = place
    const gone = new AbortController()
    stream.onAbort(() => gone.abort())
    const signal = AbortSignal.any([gone.signal, stopping])
    const beat = async () => {
      if (!((await login?.goesOn(c)) ?? true)) gone.abort()
      else await stream.write(': still here\n\n')
    }
    const heartbeat = setInterval(() => void beat().catch(() => gone.abort()), heartbeatMs)
    try {
      let againMs = againMinMs
      while (!signal.aborted) {
        try {
          for await (const piece of pieces(signal)) {
            if (signal.aborted) break
            await stream.writeSSE({ data: oneLine(await piece) })
            againMs = againMinMs
          }
          if (!signal.aborted) await stream.writeSSE({ event: over, data: over })
          return
        } catch (error) {
          if (!(error instanceof ApiDown)) throw error
        }
        // Not all pages at the same moment.
        await sleep(againMs * (0.5 + Math.random()), undefined, { signal }).catch(() => {})
        againMs = Math.min(againMs * 2, againMaxMs)
      }
    } finally {
      clearInterval(heartbeat)
    }
  })
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value)
  return response
}

const oneLine = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.trim())
    .join(' ')
    .trim()
