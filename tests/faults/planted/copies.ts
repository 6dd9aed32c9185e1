/** Bugs of stock: copies are counted wrongly, or reach the wrong customer. */
import type { Bug } from './bug.ts'

export const copies: Bug[] = [
  {
    name: 'forget earlier decisions',
    edits: [
      {
        file: 'actors/stock/changes.ts',
        find: 'ofBook(bookid, reservationid, holds)',
        replace: 'ofBook(bookid, bookid, holds)',
      },
    ],
    scenario: 'cancel-races',
    caughtBy: ['copies add up', 'copies held are those reserved'],
  },
  {
    name: 'release twice',
    edits: [
      {
        file: 'actors/stock/reservations.ts',
        find: "    case 'held':\n    case 'ready': {\n      const now = moved(book",
        replace: "    case 'held':\n    case 'released':\n    case 'ready': {\n      const now = moved(book",
      },
    ],
    scenario: 'cancel-races',
    caughtBy: ['a hold is released once'],
  },
  {
    name: 'count a repeated answer',
    edits: [
      {
        file: 'actors/stock/reservations.ts',
        find: "return { type: 'ReservationQueued', ...event, place: hold.place }",
        replace:
          "return { type: 'ReservationQueued', ...event, ...figuresOf(moved(book, { waiting: 1 })), place: hold.place }",
      },
    ],
    scenario: 'desk-races',
    caughtBy: ['copies add up'],
  },
  {
    name: 'count what a book without rules never has',
    edits: [
      {
        file: 'actors/stock/book.ts',
        find: 'if (out === 0 && waiting === 0) return figures',
        replace: 'if (out === 0 && waiting === 0) return { ...figures, out }',
      },
    ],
    scenario: 'cancel-races',
    caughtBy: ['a book without rules has the events that it always had'],
  },
  {
    name: 'leave a claim behind',
    edits: [
      {
        file: 'actors/stock/changes.ts',
        find: 'if (claimed) this.#ended.set(',
        replace: "if (claimed && hold.status !== 'returned') this.#ended.set(",
      },
    ],
    scenario: 'desk-races',
    caughtBy: ['claims are the active holds'],
  },
  {
    name: 'ignore an extension',
    edits: [
      {
        file: 'actors/stock/store.ts',
        find: 'pickup_by = excluded.pickup_by,',
        replace: 'pickup_by = least(claim.pickup_by, excluded.pickup_by),',
      },
    ],
    scenario: 'desk-races',
    caughtBy: ['no hold expires early'],
  },
  {
    name: 'expire whatever the clock names',
    edits: [
      {
        file: 'actors/stock/shelf.ts',
        find: "hold?.status !== 'ready' || !hasPassed(hold.pickupBy, message.at)",
        replace: "hold?.status !== 'ready'",
      },
    ],
    scenario: 'desk-races',
    caughtBy: ['no hold expires early'],
  },
  {
    name: 'hand a copy over twice',
    edits: [
      {
        file: 'actors/stock/shelf.ts',
        find: "  if (hold.status === 'collected') return []\n",
        replace: '',
      },
    ],
    scenario: 'desk-races',
    caughtBy: ['a copy is handed over once, to its customer', 'copies add up'],
  },
]
