import type { Subject } from '../../notice.ts'
import type { Wording } from '../wording.ts'

/** What a short text begins with. */
export const labelOf = ({ bookid }: Subject): string => (bookid === null ? '' : `${bookid}: `)

export const facts = ({ bookid, reservationid, userid }: Subject): Wording['facts'] => [
  ['Book', bookid],
  ['Reservation', reservationid],
  ['Customer', userid],
]
