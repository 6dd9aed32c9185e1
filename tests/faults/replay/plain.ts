/** The events of a book without rules are those that every book had before there were rules. */
import type { StockEvent } from '../../../actors/messages.ts'
import type { Scene } from './scene.ts'

const figures = ['type', 'bookid', 'version', 'available', 'held']
const reservation = ['reservationid', 'userid', 'first']

const members: { [Type in StockEvent['type']]?: string[] } = {
  CopiesReceived: ['qty', 'title', 'author', 'isbn', 'purchaseid'],
  CopiesOrdered: ['purchaseid', 'qty'],
  PurchaseRequested: ['shortage'],
  CopyReserved: reservation,
  ReservationRefused: [...reservation, 'reason'],
  CopyReleased: reservation,
}

export function checkPlain({ it, where, shelf }: Scene, event: StockEvent): void {
  // From here on it has some.
  if (shelf.rules || event.type === 'RulesChanged') return
  const known = members[event.type]
  if (!known) it.unfamiliar.push(`${where}: no such event without rules`)
  const others = Object.keys(event).filter((name) => !figures.includes(name) && !known?.includes(name))
  if (known && others.length > 0) it.unfamiliar.push(`${where}: has ${others.join(', ')}`)
}
