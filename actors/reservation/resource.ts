/** Reservations, as clients see them. */
import { z } from '@hono/zod-openapi'
import { unlessPlain } from '../../platform/http/input.ts'
import { selfLink, selfSchema } from '../../platform/http/paging.ts'
import { cancellationCauses, idSchema, isId, noteSchema, refusalReasons } from '../messages.ts'
import { type Reservation, requestable, statuses } from './reservation.ts'

/** @param guarded whether a customer's token says who they are. */
export const newReservationSchema = (guarded: boolean) =>
  unlessPlain(
    z
      .object({
        bookid: idSchema,
        userid: guarded
          ? idSchema.optional().describe('customers reserve for themselves, and may leave it out')
          : idSchema,
        // Without a default here: a payload that leaves it out has the fingerprint that it always had.
        wait: z.boolean().optional().openapi({
          description: 'whether to wait in the queue if no copy is available and the book has a queue',
          default: true,
        }),
        overLimit: z
          .boolean()
          .optional()
          .describe("for staff: accept it even if the customer's limit is reached"),
      })
      .openapi('NewReservation'),
    isPlainReservation,
  )

/** Whether the schema would return the value as it is. Most reservations are plain. */
export function isPlainReservation(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { bookid, userid } = value as Record<string, unknown>
  return isId(bookid) && isId(userid) && Object.keys(value).length === 2
}

export const cancellationSchema = z
  .object({
    status: z.enum(requestable),
    cause: z
      .enum(cancellationCauses)
      .optional()
      .describe('why it is canceled; if absent, the customer wishes so'),
    note: noteSchema.optional().describe('shown to the customer'),
  })
  .openapi('Cancellation')

const linkSchema = z.object({ href: z.string() })
const linksSchema = selfSchema.extend({
  events: linkSchema,
  other: linkSchema.optional().describe('the reservation because of which this one failed'),
})

export const reservationSchema = z
  .object({
    reservationid: z.uuid(),
    bookid: z.string(),
    userid: z.string(),
    status: z.enum(statuses),
    reason: z.enum(refusalReasons).nullable().describe('why the reservation failed'),
    position: z
      .int()
      .nullable()
      .describe(
        'how many reservations of the book wait up to and including this one; null unless it waits, and in lists of several customers',
      ),
    waiting: z.int().nullable().describe('how many wait in all; null whenever `position` is'),
    pickupBy: z.iso
      .datetime()
      .nullable()
      .describe(
        'until when the copy is on the hold shelf; null if it is not, or stays there without a deadline',
      ),
    cause: z.enum(cancellationCauses).nullable().describe('why it was canceled, if that was said'),
    note: z.string().nullable().describe('more about the cancellation'),
    active: z
      .int()
      .nullable()
      .describe('of `LimitReached`: how many reservations of the customer were active'),
    limit: z.int().nullable().describe('of `LimitReached`: how many may be active'),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
    _links: linksSchema,
  })
  .openapi('Reservation')

/** One event of the stream, because OpenAPI before 3.2 cannot describe the stream itself. */
export const eventSchema = z
  .object({
    event: z.enum(['status', 'position']),
    id: z.enum(statuses).describe('the status; send it back as `Last-Event-ID`'),
    data: z.string().describe('the current reservation, as JSON'),
    retry: z.int().optional().describe('first event only: milliseconds to wait before reconnecting'),
  })
  .openapi('ReservationEvent')

/** A schema of its own: one that extends the other would also have its `id`. */
export const customerEventSchema = z
  .object({
    ...eventSchema.shape,
    id: z.string().describe('the reservationid and the status'),
  })
  .openapi('CustomerReservationEvent')

export function toBody({
  reservationid,
  bookid,
  userid,
  status,
  reason,
  other,
  pickup_by,
  cause,
  note,
  active,
  active_max,
  queue,
  created_at,
  updated_at,
}: Reservation) {
  const self = `/reservations/${reservationid}`
  const ahead = status === 'Waiting' ? queue : null
  const links = { ...selfLink(self), events: { href: `${self}/events` } }
  return {
    reservationid,
    bookid,
    userid,
    status,
    reason,
    position: ahead?.position ?? null,
    waiting: ahead?.waiting ?? null,
    pickupBy: status === 'Ready' && pickup_by ? pickup_by.toISOString() : null,
    cause: status === 'Canceled' ? cause : null,
    note: status === 'Canceled' ? note : null,
    active,
    limit: active_max,
    createdAt: created_at.toISOString(),
    updatedAt: updated_at.toISOString(),
    _links: other === null ? links : { ...links, other: { href: `/reservations/${other}` } },
  }
}
