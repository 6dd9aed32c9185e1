/** Tables, which become cards on a phone. The roles keep them tables there for screen readers, too. */
import { type Html, html } from './html.ts'

export type Column<Row> = {
  name: string
  /** A number is aligned to the right. */
  isNumber?: boolean
  cell(row: Row): Html | string
}

/** The first column names its row. No rows, no table. On a phone a cell with content shows its column's name beside it. */
export function table<Row>(caption: string, columns: Column<Row>[], rows: Row[]): Html | '' {
  if (rows.length === 0) return ''
  return html`<table class="cards" role="table">
<caption>${caption}</caption>
<thead role="rowgroup"><tr role="row">${columns.map(
    (it) => html`<th scope="col" role="columnheader"${numeric(it)}>${it.name}</th>`,
  )}</tr></thead>
<tbody role="rowgroup">
${rows.map((row) => html`<tr role="row">${columns.map((it, i) => cellOf(it, row, i === 0))}</tr>\n`)}
</tbody>
</table>`
}

function cellOf<Row>(column: Column<Row>, row: Row, isFirst: boolean): Html {
  const content = column.cell(row)
  if (isFirst && column.isNumber)
    return html`<th scope="row" role="rowheader" data-name="${column.name}" class="number">${content}</th>`
  if (isFirst) return html`<th scope="row" role="rowheader">${content}</th>`
  return html`<td role="cell" data-name="${column.name}"${numeric(column)}><div>${content}</div></td>`
}

const numeric = <Row>({ isNumber }: Column<Row>): Html | '' => (isNumber ? html` class="number"` : '')
