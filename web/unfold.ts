/**
 * A page that grows while it is read: its end is sent when all is done. So a long work shows its progress without scripts, and
 * without a place where its state is kept between two requests.
 */
import { stream } from 'hono/streaming'
import { type Html, html } from './html.ts'
import { layout, type Shown } from './layout.ts'
import type { Visit } from './visit.ts'

/** Neither compressed nor collected on the way. */
const headers = { 'cache-control': 'no-store, no-transform', 'x-accel-buffering': 'no' }

/** The place in the page for the pieces. */
export const unfolding = html`<!-- unfolds here -->`

/** @param shown its `main` contains `unfolding`, which the pieces replace one after the other. */
export async function unfold(visit: Visit, shown: Shown, pieces: AsyncIterable<Html>): Promise<Response> {
  const [head, tail] = String(await layout(visit, shown)).split(String(unfolding)) as [string, string]
  const response = stream(visit.c, async (stream) => {
    await stream.write(head)
    for await (const piece of pieces) {
      if (stream.aborted) return
      await stream.write(String(await piece))
    }
    await stream.write(tail)
  })
  response.headers.set('content-type', 'text/html; charset=UTF-8')
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value)
  return response
}
