/** Turns the pages of a long list. */
import { html } from 'hono/html'
import type { Html } from './html.ts'
import type { Visit } from './visit.ts'

/** @param next the key of the next page, if there is one. */
export function turnPage({ words, path }: Visit, next: string | undefined): Html | '' {
  const isFirst = !new URL(path, 'http://localhost').searchParams.has('after')
  if (next === undefined && isFirst) return ''
  return html`<nav class="turn" aria-label="${words.turn}"><ul>${
    isFirst ? '' : html`<li><a href="${withAfter(path)}">${words.first}</a></li>`
  }${next === undefined ? '' : html`<li><a href="${withAfter(path, next)}">${words.next}</a></li>`}</ul></nav>`
}

function withAfter(path: string, after?: string): string {
  const url = new URL(path, 'http://localhost')
  for (const name of ['after', 'said', 'did', 'of']) url.searchParams.delete(name)
  if (after !== undefined) url.searchParams.set('after', after)
  return url.pathname + url.search
}
