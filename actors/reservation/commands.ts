/** What the reservation service asks of stock. */
import type { Envelope } from '../../streams/envelope.ts'
import type { StockCommand } from '../messages.ts'
import type { Reservation } from './reservation.ts'

export const source = '/reservation'

type Asked = Pick<Reservation, 'reservationid' | 'bookid' | 'userid'> & { traceparent: string | null }

/** The same command every time it is sent: stock recognises it by its reservation. */
export function commandOf(type: 'ReserveCopy' | 'ReleaseCopy', asked: Asked, now: Date): Envelope {
  const { reservationid, bookid, userid, traceparent } = asked
  const data = { bookid, reservationid, userid } satisfies Omit<
    Extract<StockCommand, { type: typeof type }>,
    'type'
  >
  return {
    specversion: '1.0',
    id: `${reservationid}/${type}`,
    source,
    type,
    subject: bookid,
    time: now.toISOString(),
    traceparent: traceparent ?? undefined,
    data,
  }
}
