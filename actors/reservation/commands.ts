/** The commands that the reservation service sends to stock. */
import type { AuthContext, Envelope } from '../../streams/envelope.ts'
import type { StockCommand } from '../messages.ts'
import type { Cancellation, NewReservation, Reservation } from './reservation.ts'

export const source = '/reservation'

type Nullable<Fields> = { [Name in keyof Fields]?: Fields[Name] | null }

type CommandRow = Pick<Reservation, 'reservationid' | 'bookid' | 'userid'> &
  Nullable<Pick<NewReservation, 'wait'> & Cancellation & AuthContext> & { traceparent: string | null }

type Command<Type> = Omit<Extract<StockCommand, { type: Type }>, 'type'>
type Data = Command<'ReserveCopy'> & Command<'ReleaseCopy'>

/** Builds the same command each time it is sent, so that stock recognizes a repeat by its reservation. */
export function commandOf(type: 'ReserveCopy' | 'ReleaseCopy', row: CommandRow, now: Date): Envelope {
  const { reservationid, bookid, userid, traceparent } = row
  const data: Data = { bookid, reservationid, userid }
  if (type === 'ReserveCopy') {
    if (row.wait === false) data.wait = false
  } else {
    if (row.cause) data.cause = row.cause
    if (row.note) data.note = row.note
  }
  const command: Envelope = {
    specversion: '1.0',
    id: `${reservationid}/${type}`,
    source,
    type,
    subject: bookid,
    time: now.toISOString(),
    traceparent: traceparent ?? undefined,
    data,
  }
  if (row.authtype && row.authid) {
    command.authtype = row.authtype
    command.authid = row.authid
  }
  return command
}
