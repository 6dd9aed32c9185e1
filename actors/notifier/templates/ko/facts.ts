import type { Subject } from '../../notice.ts'
import type { Wording } from '../wording.ts'

/** What stands behind the words of a title, and what a short text begins with. */
export const behind = ({ bookid }: Subject): string => (bookid === null ? '' : `: ${bookid}`)
export const labelOf = ({ bookid }: Subject): string => (bookid === null ? '' : `${bookid}: `)

export const facts = ({ bookid, reservationid, userid }: Subject): Wording['facts'] => [
  ['도서', bookid],
  ['예약 번호', reservationid],
  ['이용자', userid],
]
