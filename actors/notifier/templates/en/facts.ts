import type { Subject } from '../../notice.ts'
import type { Wording } from '../wording.ts'

export const facts = ({ bookid, reservationid, userid }: Subject): Wording['facts'] => [
  ['Book', bookid],
  ['Reservation', reservationid],
  ['Customer', userid],
]
