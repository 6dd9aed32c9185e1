/** The reservation service, as the pages use it. */
import { z } from 'zod'
import type { Operation } from './call.ts'
import { listOf } from './page.ts'

export const bookSchema = z.object({
  bookid: z.string(),
  title: z.string(),
  author: z.string(),
  isbn: z.string(),
  qty: z.int(),
  owned: z.int(),
  waiting: z.int(),
})
export type Book = z.output<typeof bookSchema>

/** A status or reason may be newer than this program, so each is any text. */
export const reservationSchema = z.object({
  reservationid: z.string(),
  bookid: z.string(),
  userid: z.string(),
  status: z.string(),
  reason: z.string().nullable(),
  position: z.int().nullable(),
  waiting: z.int().nullable(),
  pickupBy: z.string().nullable(),
  cause: z.string().nullable(),
  note: z.string().nullable(),
  active: z.int().nullable(),
  limit: z.int().nullable(),
  createdAt: z.string(),
  updatedAt: z.string(),
  _links: z.object({ other: z.object({ href: z.string() }).optional() }),
})
export type Reservation = z.output<typeof reservationSchema>

/** Those that staff may give. */
export const causes = ['CustomerAsked', 'Staff', 'Duplicate'] as const

export const cancellationSchema = z.object({
  status: z.literal('Canceled'),
  cause: z.enum(causes).optional(),
  note: z.string().optional(),
})

export const standingSchema = z.object({
  userid: z.string(),
  active: z.array(z.string()),
  limit: z.int().nullable(),
  block: z.object({ reason: z.string(), until: z.string().nullable() }).nullable(),
})
export type Standing = z.output<typeof standingSchema>

export const blockSchema = z.object({ reason: z.string(), until: z.string().optional() })

/** By their `operationId`. */
export const operations = {
  listBooks: { ...listOf('/books', 'books', bookSchema, 'q', 'available'), forEveryone: true },
  getBook: { method: 'GET', path: '/books/{bookid}', answer: bookSchema, forEveryone: true },
  reserve: {
    method: 'POST',
    path: '/reservations',
    body: z.object({ bookid: z.string(), userid: z.string() }),
    answer: reservationSchema,
    // Then the page of the reservation is shown, which follows it.
    waitS: 3,
  },
  listReservations: listOf('/reservations', 'reservations', reservationSchema, 'userid', 'bookid', 'status'),
  getReservation: { method: 'GET', path: '/reservations/{reservationid}', answer: reservationSchema },
  cancelReservation: {
    method: 'PATCH',
    path: '/reservations/{reservationid}',
    body: cancellationSchema,
    answer: reservationSchema,
  },
  /** Passed on to the customer as it is. */
  exportCustomer: {
    method: 'GET',
    path: '/standings/{userid}/export',
    answer: z.record(z.string(), z.unknown()),
  },
  eraseCustomer: {
    method: 'DELETE',
    path: '/standings/{userid}',
    answer: z.object({ reservations: z.int() }),
  },
  getStanding: { method: 'GET', path: '/standings/{userid}', answer: standingSchema },
  blockCustomer: {
    method: 'PUT',
    path: '/standings/{userid}/block',
    body: blockSchema,
    answer: standingSchema,
  },
  unblockCustomer: { method: 'DELETE', path: '/standings/{userid}/block', answer: standingSchema },
  /** Each event has the reservation as its data. */
  followReservations: {
    method: 'GET',
    path: '/reservations/events',
    query: ['userid'],
    answer: reservationSchema,
  },
  followReservation: {
    method: 'GET',
    path: '/reservations/{reservationid}/events',
    answer: reservationSchema,
  },
} as const satisfies Record<string, Operation>
