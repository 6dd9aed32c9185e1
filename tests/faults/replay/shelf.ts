/** A book, as the events before an event leave it. */
import type { BookRules, StockEvent } from '../../../actors/messages.ts'

export type Shelf = {
  title: string
  available: number
  held: number
  out: number
  waiting: number
  version: number
  received: boolean
  /** Copies received, without those withdrawn. */
  owned: number
  onOrder: number
  /** Undefined: none were ever set. */
  rules: Rules | undefined
  /** Reservations that wait, by place. */
  queue: Map<number, string>
  lastPlace: number
}

type Rules = Required<BookRules>

export const original: Rules = {
  queueMax: 0,
  queuePerCopy: null,
  pickupDays: null,
  pullStep: false,
  onePerBook: false,
  waitDays: null,
  lend: false,
}

export const blank = (): Shelf => ({
  title: '',
  available: 0,
  held: 0,
  out: 0,
  waiting: 0,
  version: 0,
  received: false,
  owned: 0,
  onOrder: 0,
  rules: undefined,
  queue: new Map(),
  lastPlace: 0,
})

export function after(shelf: Shelf, event: StockEvent): Shelf {
  const { available, held, out = 0, waiting = 0, version } = event
  const now = { ...shelf, available, held, out, waiting, version }
  switch (event.type) {
    case 'CopiesReceived': {
      const onOrder = event.purchaseid ? Math.max(0, shelf.onOrder - event.qty) : shelf.onOrder
      return { ...now, title: event.title, received: true, owned: shelf.owned + event.qty, onOrder }
    }
    case 'CopiesWithdrawn':
      return { ...now, owned: shelf.owned - event.qty }
    case 'CopiesOrdered':
      return { ...now, onOrder: shelf.onOrder + event.qty }
    case 'RulesChanged':
      return { ...now, rules: { ...original, ...event.rules } as Rules }
    default:
      return now
  }
}
