/** How pages show a reservation to its customer. */
import type { Reservation } from './apis/reservation.ts'
import { codeOf } from './code.ts'
import { type Html, html } from './html.ts'
import type { Title } from './titles.ts'
import type { Visit } from './visit.ts'
import { wordFor } from './words/words.ts'

/** Those that can still change by themselves, and be canceled, in the order in which they matter. */
export const activeStatuses = ['Ready', 'Reserved', 'Waiting', 'Requested']

export const isActive = ({ status }: Reservation): boolean => activeStatuses.includes(status)

export const reservationPath = (reservationid: string): string => `/me/${reservationid}`

export const titleOfReservation = (visit: Visit, { bookid }: Reservation, title: Title | undefined): string =>
  title?.title || visit.words.book.untitled(bookid)

export const tones: Record<string, string> = {
  Requested: 'warm',
  Waiting: 'warm',
  Reserved: 'good',
  Ready: 'good',
  Collected: '',
  Returned: '',
  Failed: 'bad',
  Canceled: '',
  Expired: 'bad',
}

export const statusBadge = ({ words }: Visit, { status }: Reservation): Html =>
  html`<span class="badge ${tones[status] ?? ''}">${wordFor(words.reservation.status, status)}</span>`

/** The status in sentences: why, how long, until when. */
export function explained(visit: Visit, it: Reservation): Html {
  const { reservation } = visit.words
  const { status, reason, cause, note, position, waiting, active, limit, pickupBy } = it
  const text =
    status === 'Failed'
      ? wordFor(reservation.reason, reason ?? '')
      : (reservation.cause[cause ?? ''] ?? reservation.text[status] ?? '')
  return html`${text}
${position === null || waiting === null ? '' : html`<strong>${reservation.position(position, waiting)}</strong>`}
${active === null || limit === null ? '' : reservation.limit(active, limit)}
${pickupBy === null ? '' : html`${reservation.until}: <strong>${visit.dates.at(pickupBy)}</strong>.`}
${note === null ? '' : html`${reservation.note}: ${note}`}`
}

/** To say at the desk. */
export const codeFor = ({ words }: Visit, it: Reservation): Html | '' =>
  it.status === 'Ready' || it.status === 'Reserved'
    ? html`<p class="code">${words.reservation.code} <strong>${codeOf(it.reservationid)}</strong></p>`
    : ''

/** Asks before it cancels: a place in a queue is lost for good. */
export function cancelForm({ words: { reservation } }: Visit, it: Reservation): Html | '' {
  if (!isActive(it)) return ''
  const loses = it.status === 'Waiting' ? reservation.cancelLoses : ''
  return html`<details class="cancel">
<summary>${reservation.cancel}</summary>
<form method="post" action="${reservationPath(it.reservationid)}/cancel">
<p>${reservation.cancelAsk} ${loses}</p>
<button>${reservation.cancelYes}</button>
</form>
</details>`
}

export const elementId = ({ reservationid }: Reservation): string => `r-${reservationid}`

/** Put on an element that replaces the one with its id, without losing the focus in it. */
export const replacing = (live: boolean): Html | '' => (live ? html` hx-swap-oob="outerMorph"` : '')
