/** The book list converges to the stock, and never goes back in time. */
import type { BookRow } from '../evidence.ts'
import { answerOf } from '../history.ts'
import { type Check, differences, type Facts } from './check.ts'

export const bookList: Check[] = [
  {
    name: 'the book list matches the events',
    violations: ({ evidence, replay }) =>
      differences(
        new Map(
          [...replay.shelves].filter(([, it]) => it.received).map(([bookid, it]) => [bookid, shown(it)]),
        ),
        new Map(evidence.list.map((it) => [it.bookid, shown(it)])),
      ),
  },
  { name: 'the book list never goes back', violations: neverGoesBack },
]

type Shown = Pick<BookRow, 'title' | 'available' | 'held' | 'out' | 'waiting' | 'version'>
const shown = ({ title, available, held, out, waiting, version }: Shown) => ({
  title,
  available,
  held,
  out,
  waiting,
  version,
})

type Listed = { bookid: string; version: number }

function neverGoesBack({ calls }: Facts): string[] {
  const views = calls
    .filter(({ kind }) => kind === 'list')
    .flatMap((call) => {
      const body = answerOf<{ _embedded: { books: Listed[] } }>(call)
      return body
        ? [{ call, versions: new Map(body._embedded.books.map((it) => [it.bookid, it.version])) }]
        : []
    })
  return views.flatMap((earlier) =>
    views
      .filter((later) => later.call.invokedAt > earlier.call.endedAt)
      .flatMap((later) =>
        [...earlier.versions]
          .filter(([bookid, version]) => (later.versions.get(bookid) ?? 0) < version)
          .map(([bookid]) => `${bookid} was newer in call ${earlier.call.id} than in call ${later.call.id}`),
      ),
  )
}
