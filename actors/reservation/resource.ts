/** Reservations and books, as clients see them. */
import { z } from '@hono/zod-openapi'
import { selfLink, selfSchema } from '../../platform/http/paging.ts'
import { idSchema, refusalReasons } from '../messages.ts'
import type { BookRow } from './books.ts'
import { type Reservation, requestable, statuses } from './reservation.ts'

export const newReservationSchema = z
  .object({
    bookid: idSchema,
    userid: idSchema,
    overLimit: z.boolean().optional().openapi({
      description: "for staff: accept it even if the customer's limit is reached",
    }),
  })
  .openapi('NewReservation')

export const cancellationSchema = z.object({ status: z.enum(requestable) }).openapi('Cancellation')

const linksSchema = selfSchema.extend({ events: z.object({ href: z.string() }) })

export const reservationSchema = z
  .object({
    reservationid: z.uuid(),
    bookid: z.string(),
    userid: z.string(),
    status: z.enum(statuses),
    reason: z.enum(refusalReasons).nullable().openapi({ description: 'why the reservation failed' }),
    active: z
      .int()
      .nullable()
      .openapi({ description: 'of `LimitReached`: how many reservations of the customer were active' }),
    limit: z.int().nullable().openapi({ description: 'of `LimitReached`: how many may be active' }),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
    _links: linksSchema,
  })
  .openapi('Reservation')

/** One event of the stream, because OpenAPI before 3.2 cannot describe the stream itself. */
export const eventSchema = z
  .object({
    event: z.literal('status'),
    id: z.enum(statuses).openapi({ description: 'the status; send it back as `Last-Event-ID`' }),
    data: z.string().openapi({ description: 'the current reservation, as JSON' }),
    retry: z
      .int()
      .optional()
      .openapi({ description: 'first event only: milliseconds to wait before reconnecting' }),
  })
  .openapi('ReservationEvent')

export const bookSchema = z
  .object({
    bookid: z.string(),
    title: z.string(),
    author: z.string(),
    isbn: z.string(),
    qty: z.int().openapi({ description: 'copies available at `updatedAt`' }),
    version: z.int(),
    updatedAt: z.iso.datetime().openapi({ description: 'when stock last reported a change of the book' }),
  })
  .openapi('Book')

export function toBody({
  reservationid,
  bookid,
  userid,
  status,
  reason,
  active,
  active_max,
  created_at,
  updated_at,
}: Reservation) {
  const self = `/reservations/${reservationid}`
  return {
    reservationid,
    bookid,
    userid,
    status,
    reason,
    active,
    limit: active_max,
    createdAt: created_at.toISOString(),
    updatedAt: updated_at.toISOString(),
    _links: { ...selfLink(self), events: { href: `${self}/events` } },
  }
}

export const toBook = ({ available, updated_at, ...book }: BookRow) => ({
  ...book,
  qty: available,
  updatedAt: updated_at.toISOString(),
})
