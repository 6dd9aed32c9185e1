/** The change of a reservation, as it is announced to the requests that wait for it. */
import { z } from 'zod'
import { cancellationCauses, type RefusalReason } from '../messages.ts'
import { type Reservation, statuses } from './reservation.ts'

export const answerSchema = z.object({
  reservationid: z.uuid(),
  status: z.enum(statuses),
  /** A newer version may know more reasons. */
  reason: z.custom<RefusalReason>((it) => typeof it === 'string').nullable(),
  /** Absent if it did not fail because of another reservation. */
  other: z.uuid().optional(),
  updatedAt: z.iso.datetime(),
  /** Absent if the book may have no hold shelf. */
  pickupBy: z.iso.datetime().nullish(),
  /** Of a cancellation. Absent if none was given. */
  cause: z.enum(cancellationCauses).optional(),
  note: z.string().optional(),
})
export type Answer = z.infer<typeof answerSchema>

/** JSON leaves out what is undefined. */
export const answerOf = (it: Reservation): Answer => ({
  reservationid: it.reservationid,
  status: it.status,
  reason: it.reason,
  other: it.other ?? undefined,
  updatedAt: it.updated_at.toISOString(),
  pickupBy: it.pickup_by?.toISOString(),
  cause: it.cause ?? undefined,
  note: it.note ?? undefined,
})

/** Whether the answer says all. Only the row has the position of a reservation that waits. */
export const isWhole = ({ status }: Answer) => status !== 'Waiting'

/** @returns the reservation after the change that the answer says. */
export const answered = (before: Reservation, answer: Answer): Reservation => ({
  reservationid: before.reservationid,
  bookid: before.bookid,
  userid: before.userid,
  status: answer.status,
  reason: answer.reason,
  other: answer.other ?? before.other,
  place: before.place,
  pickup_by: answer.pickupBy ? new Date(answer.pickupBy) : null,
  cause: answer.cause ?? before.cause,
  note: answer.note ?? before.note,
  active: before.active,
  active_max: before.active_max,
  created_at: before.created_at,
  updated_at: new Date(answer.updatedAt),
  queue: before.queue,
})
