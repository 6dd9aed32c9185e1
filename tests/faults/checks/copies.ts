/** No copy is promised twice. */
import type { Stock } from '../../harness/acts.ts'
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
      const held = evidence.holds.filter(({ status }) => status === 'held')
      const reserved = evidence.reservations.filter(({ status }) => status === 'Reserved')
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

const figures = ({ available, held, version }: { available: number; held: number; version: number }) => ({
  available,
  held,
  version,
})

/** Copies that arrived, by the calls: at least the confirmed ones, at most the requested ones. */
function receiptsCountOnce({ calls, evidence }: Facts): string[] {
  const receipts = Map.groupBy(
    calls.filter(({ kind }) => kind === 'receive'),
    ({ bookid }) => bookid!,
  )
  return evidence.books.flatMap(({ bookid, available, held }) => {
    const of = receipts.get(bookid) ?? []
    const least = sum(of.filter((call) => answerOf<Stock>(call)))
    const most = sum(of.filter(({ end }) => end !== 'fail'))
    const found = available + held
    return found < least || found > most ? [`${bookid}: ${found} copies, received ${least} to ${most}`] : []
  })
}

const sum = (calls: Call[]) => calls.reduce((total, { qty = 0 }) => total + qty, 0)
