/** The commands that the reservation service sends to stock. */
import type { Envelope } from '../../streams/envelope.ts'
import type { StockCommand } from '../messages.ts'
import type { Reservation } from './reservation.ts'

export const source = '/reservation'

type CommandRow = Pick<Reservation, 'reservationid' | 'bookid' | 'userid'> & { traceparent: string | null }

/** Builds the same command each time it is sent, so that stock recognizes a repeat by its reservation. */
export function commandOf(type: 'ReserveCopy' | 'ReleaseCopy', row: CommandRow, now: Date): Envelope {
  const { reservationid, bookid, userid, traceparent } = row
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
