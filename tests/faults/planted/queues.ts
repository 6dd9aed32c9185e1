/** Bugs of stock’s queues. */
import type { Bug } from './bug.ts'

export const queues: Bug[] = [
  {
    name: 'let a newcomer overtake',
    edits: [
      {
        file: 'actors/stock/reservations.ts',
        find: 'if (book.available > 0 && book.waiting === 0) {',
        replace: 'if (book.available > 0) {',
      },
      // Otherwise copies are hardly ever available while others wait.
      {
        file: 'actors/stock/reservations.ts',
        find: 'return now.waiting > 0 ? [event, ...serve(now, queue, shelf)] : [event]',
        replace: 'return queue.length < 0 ? serve(now, queue, shelf) : [event]',
      },
      {
        file: 'actors/stock/queue.ts',
        find: 'book.waiting > 0 && (book.available > 0 || isGone(book, rules))',
        replace: 'book.waiting > 0 && isGone(book, rules)',
      },
    ],
    scenario: 'desk-races',
    caughtBy: ['newcomers wait behind the queue'],
  },
  {
    name: 'forget the queue when a copy is released',
    edits: [
      {
        file: 'actors/stock/reservations.ts',
        find: 'return now.waiting > 0 ? [event, ...serve(now, queue, shelf)] : [event]',
        replace: 'return queue.length < 0 ? serve(now, queue, shelf) : [event]',
      },
      // Otherwise the queue is served a moment later.
      {
        file: 'actors/stock/queue.ts',
        find: 'book.waiting > 0 && (book.available > 0 || isGone(book, rules))',
        replace: 'book.waiting > 0 && isGone(book, rules)',
      },
    ],
    scenario: 'desk-races',
    caughtBy: ['no copy is idle while a reservation waits'],
  },
  {
    name: 'serve the newest first',
    edits: [
      {
        file: 'actors/stock/queue.ts',
        find: 'for (const wait of queue.slice(0, Math.min(book.available, servedMax))) {',
        replace: 'for (const wait of queue.toReversed().slice(0, Math.min(book.available, servedMax))) {',
      },
    ],
    scenario: 'desk-races',
    caughtBy: ['places are served in order'],
  },
  {
    name: 'give a place again after a copy was taken back',
    edits: [
      {
        file: 'actors/stock/book.ts',
        find: "    case 'ReservationQueued':\n    case 'CopyTakenBack':\n",
        replace:
          "    case 'CopyTakenBack':\n      return { ...counted, lastPlace: event.place }\n    case 'ReservationQueued':\n",
      },
    ],
    scenario: 'desk-races',
    caughtBy: ['places are given once, and kept'],
  },
  {
    name: 'let a second reservation of a customer pass',
    edits: [
      {
        file: 'actors/stock/reservations.ts',
        find: 'if (twin) {',
        replace: "if (twin?.status === 'collected') {",
      },
    ],
    scenario: 'desk-races',
    caughtBy: ['one reservation per customer and book'],
  },
]
