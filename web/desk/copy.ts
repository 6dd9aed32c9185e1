/** A copy that is set aside, as staff see it. */
import type { Reservation } from '../apis/reservation.ts'
import type { Task, TaskKind } from '../apis/stock.ts'
import { bookPath } from '../book.ts'
import { codeOf } from '../code.ts'
import { type Html, html } from '../html.ts'
import type { Title } from '../titles.ts'
import type { Visit } from '../visit.ts'

export type Copy = {
  reservationid: string
  bookid: string
  userid: string
  title: string
  author: string
  /** Whether it is on the hold shelf. */
  isReady: boolean
  pickupBy: string | null
}

export const copyOfTask = (task: Task, kind: TaskKind): Copy => ({ ...task, isReady: kind === 'ready' })

export const copyOfReservation = (it: Reservation, title: Title | undefined): Copy => ({
  ...it,
  title: title?.title ?? '',
  author: title?.author ?? '',
  isReady: it.status === 'Ready',
})

type Named = Pick<Copy, 'bookid' | 'title' | 'author'>

export const titleOfCopy = ({ words }: Visit, { bookid, title }: Named): string =>
  title || words.book.untitled(bookid)

export const named = (visit: Visit, copy: Named): Html =>
  html`<a href="${bookPath(copy.bookid)}">${titleOfCopy(visit, copy)}</a>${
    copy.author ? html`<small>${copy.author}</small>` : ''
  }`

export const code = ({ reservationid }: Pick<Copy, 'reservationid'>): Html =>
  html`<span class="letters">${codeOf(reservationid)}</span>`

/** Until when it is kept, and whether that is over. It is kept a little longer. */
export function until({ dates, words: { work } }: Visit, { pickupBy }: Pick<Copy, 'pickupBy'>): Html {
  if (pickupBy === null) return html`${work.noDeadline}`
  const isOver = Date.parse(pickupBy) <= Date.now()
  return html`${dates.short(pickupBy)}${isOver ? html` <span class="badge warm">${work.over}</span>` : ''}`
}
