import type { Subject } from '../../notice.ts'
import type { Wording } from '../wording.ts'

export const facts = ({ bookid, reservationid, userid }: Subject): Wording['facts'] => [
  ['도서', bookid],
  ['예약 번호', reservationid],
  ['이용자', userid],
]
