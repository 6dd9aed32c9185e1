/** A table, which a phone shows as a list of cards. */
import { html } from 'hono/html'
import type { Html } from './html.ts'

type Cell = Html | string

/**
 * @param caption says what the rows are.
 * @param heads of the columns. On a phone each is the label of its value.
 * @param rows the first value of each names the row.
 */
export const table = (caption: string, heads: string[], rows: Cell[][]): Html =>
  html`<table class="cards">
<caption>${caption}</caption>
<thead><tr>${heads.map((it) => html`<th scope="col">${it}</th>`)}</tr></thead>
<tbody>${rows.map(
    ([name, ...values]) =>
      html`<tr><th scope="row">${name!}</th>${values.map(
        (it, i) => html`<td data-label="${heads[i + 1]!}">${it}</td>`,
      )}</tr>`,
  )}</tbody>
</table>`
