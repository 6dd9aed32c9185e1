/** No copy is promised twice. */
import type { BookRow } from '../evidence.ts'
import { answerOf, type Call } from '../history.ts'
import { type Check, differences, type Facts } from './check.ts'

export const copies: Check[] = [
  {
    name: 'copies add up',
    violations: ({ replay, evidence }) => [
      ...replay.miscounted,
      ...differences(
        new Map([...replay.shelves].map(([bookid, it]) => [bookid, figures(it)])),
        new Map(evidence.books.map((it) => [it.bookid, figures(it)])),
      ),
    ],
  },
  {
    name: 'copies held are those reserved',
    violations: ({ evidence }) => {
      const held = evidence.holds.filter(({ status }) => status === 'held' || status === 'ready')
      const reserved = evidence.reservations.filter(
        ({ status }) => status === 'Reserved' || status === 'Ready',
      )
      const bookOf = (rows: { reservationid: string; bookid: string }[]) =>
        new Map(rows.map(({ reservationid, bookid }) => [reservationid, bookid]))
      const counted = Map.groupBy(held, ({ bookid }) => bookid)
      return [
        ...differences(bookOf(reserved), bookOf(held)),
        ...evidence.books
          .filter(({ bookid, held }) => held !== (counted.get(bookid)?.length ?? 0))
          .map(
            ({ bookid, held }) =>
              `${bookid}: ${held} copies are held, for ${counted.get(bookid)?.length ?? 0}`,
          ),
      ]
    },
  },
  { name: 'each receipt counts once', violations: receiptsCountOnce },
]

type Figures = Pick<BookRow, 'available' | 'held' | 'out' | 'waiting' | 'version'>
const figures = ({ available, held, out, waiting, version }: Figures) => ({
  available,
  held,
  out,
  waiting,
  version,
})

/** Copies that arrived and were not withdrawn, by the calls: at least the confirmed ones, at most the requested ones. */
function receiptsCountOnce({ calls, evidence }: Facts): string[] {
  const bookOf = new Map(evidence.holds.map(({ reservationid, bookid }) => [reservationid, bookid]))
  const moves = calls.flatMap((call) => {
    const bookid = call.bookid ?? bookOf.get(call.reservationid ?? '')
    const copies = copiesOf(call)
    return bookid && copies !== 0 ? [{ bookid, copies, call }] : []
  })
  const byBook = Map.groupBy(moves, ({ bookid }) => bookid)
  return evidence.books.flatMap(({ bookid, available, held, out }) => {
    const [least, most] = rangeOf(byBook.get(bookid) ?? [])
    const found = available + held + out
    return found < least || found > most ? [`${bookid}: ${found} copies, not ${least} to ${most}`] : []
  })
}

/** How many copies a call adds. */
function copiesOf({ kind, qty = 0, more }: Call): number {
  if (kind === 'receive') return qty
  if (kind === 'withdraw') return -qty
  return kind === 'change a hold' && more?.status === 'Waiting' ? -1 : 0
}

function rangeOf(moves: { copies: number; call: Call }[]): [least: number, most: number] {
  let [least, most] = [0, 0]
  for (const { copies, call } of moves) {
    const [isSure, isPossible] = [answerOf(call) !== undefined, call.end !== 'fail']
    if (copies > 0 ? isSure : isPossible) least += copies
    if (copies > 0 ? isPossible : isSure) most += copies
  }
  return [least, most]
}
