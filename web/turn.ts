/** Turns the pages of a long list. */
import { type Html, html } from './html.ts'
import type { Visit } from './visit.ts'

/**
 * @param next the key of the next page, if there is one.
 * @param name of the query parameter that holds it. A page with several lists has one for each.
 */
export function turnPage({ words, path }: Visit, next: string | undefined, name = 'after'): Html | '' {
  const isFirst = !new URL(path, 'http://localhost').searchParams.has(name)
  if (next === undefined && isFirst) return ''
  return html`<nav class="turn" aria-label="${words.turn}"><ul>${
    isFirst ? '' : html`<li><a href="${withAfter(path, name)}">${words.first}</a></li>`
  }${next === undefined ? '' : html`<li><a href="${withAfter(path, name, next)}">${words.next}</a></li>`}</ul></nav>`
}

function withAfter(path: string, name: string, after?: string): string {
  const url = new URL(path, 'http://localhost')
  for (const it of [name, 'said', 'did', 'of']) url.searchParams.delete(it)
  if (after !== undefined) url.searchParams.set(name, after)
  return url.pathname + url.search
}
