/** How staff's pages show the movements of a book. */
import { factsOf, type Movement } from './apis/stock.ts'
import { codeOf } from './code.ts'
import { type Html, html } from './html.ts'
import type { Column } from './table.ts'
import type { Visit } from './visit.ts'
import { wordFor } from './words/words.ts'

export function movementColumns(visit: Visit): Column<Movement>[] {
  const { words, dates } = visit
  const { movements, available, held } = words.stock
  return [
    { name: movements.what, cell: (it) => what(visit, it) },
    { name: movements.when, cell: ({ time }) => dates.happened(time) },
    { name: available, isNumber: true, cell: (it) => words.number(factsOf(it).available) },
    { name: held, isNumber: true, cell: (it) => words.number(factsOf(it).held) },
  ]
}

function what({ words }: Visit, movement: Movement): Html {
  const { stock } = words
  const { qty, reason, cause, note, reservationid, userid, place } = factsOf(movement)
  const why = reason ?? cause
  const facts = [
    qty !== undefined && words.copies(qty),
    why !== undefined && wordFor(stock.reasons, why),
    reservationid !== undefined && `${codeOf(reservationid)}${userid ? ` (${userid})` : ''}`,
    place !== undefined && stock.movements.place(place),
    note !== undefined && `“${note}”`,
  ].filter((it) => it !== false)
  return html`${wordFor(stock.movements.types, movement.type)}${facts.length > 0 ? html`<small>${facts.join(' · ')}</small>` : ''}`
}
