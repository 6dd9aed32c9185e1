/** The reservation service, as the pages use it. */
import { z } from 'zod'
import type { Operation } from './call.ts'
import { get, listOf, remove, send } from './operation.ts'

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
  getBook: { ...get('/books/{bookid}', bookSchema), forEveryone: true },
  reserve: {
    method: 'POST',
    path: '/reservations',
    body: z.object({ bookid: z.string(), userid: z.string() }),
    answer: reservationSchema,
    // Then the page of the reservation is shown, which follows it.
    waitS: 3,
  },
  listReservations: listOf('/reservations', 'reservations', reservationSchema, 'userid', 'bookid', 'status'),
  getReservation: get('/reservations/{reservationid}', reservationSchema),
  cancelReservation: send('PATCH', '/reservations/{reservationid}', cancellationSchema, reservationSchema),
  /** Passed on to the customer as it is. */
  exportCustomer: get('/standings/{userid}/export', z.record(z.string(), z.unknown())),
  eraseCustomer: remove('/standings/{userid}', z.object({ reservations: z.int() })),
  getStanding: get('/standings/{userid}', standingSchema),
  blockCustomer: send('PUT', '/standings/{userid}/block', blockSchema, standingSchema),
  unblockCustomer: remove('/standings/{userid}/block', standingSchema),
  /** Each event has the reservation as its data. */
  followReservations: {
    method: 'GET',
    path: '/reservations/events',
    query: ['userid'],
    answer: reservationSchema,
  },
  followReservation: get('/reservations/{reservationid}/events', reservationSchema),
} as const satisfies Record<string, Operation>
