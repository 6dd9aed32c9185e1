/** The calls about reservations, as their document describes them. */
import { z } from '@hono/zod-openapi'
import { idempotencyHeader } from '../../platform/http/idempotency.ts'
import { unlessPlain } from '../../platform/http/input.ts'
import { pageQuery } from '../../platform/http/paging.ts'
import { problemResponses } from '../../platform/http/problem.ts'
import { jsonAnswer, jsonBody, pageAnswer, routesOf } from '../../platform/http/route.ts'
import { idSchema } from '../messages.ts'
import * as examples from './examples.ts'
import { statuses } from './reservation.ts'
import {
  cancellationSchema,
  customerEventSchema,
  eventSchema,
  newReservationSchema,
  reservationSchema,
} from './resource.ts'

const routes = routesOf('reservations')

const params = z.object({ reservationid: z.uuid() })

export const create = (guarded: boolean) =>
  routes.post('/reservations', {
    operationId: 'reserve',
    summary: 'Reserve one copy of a book',
    description:
      'The reservation is accepted immediately, even if stock is down, and decided shortly after. With `Prefer: wait=N` (seconds, at most 30) the response is held until the reservation is decided. Beyond the customer’s limit, and while they are blocked, the reservation fails at once, with its reason.',
    access: ['customer', 'stock-manager', 'service'],
    request: {
      headers: unlessPlain(
        z.object({
          'idempotency-key': idempotencyHeader,
          prefer: z.string().optional().openapi({ example: 'wait=5' }),
        }),
        (headers) => (headers as Record<string, string>)['idempotency-key'] === undefined,
      ),
      body: jsonBody(newReservationSchema(guarded), examples.newReservation),
    },
    responses: {
      201: {
        ...jsonAnswer(reservationSchema, 'The reservation is accepted', examples.reservation),
        headers: z.object({ location: z.string(), 'preference-applied': z.string().optional() }),
      },
      ...problemResponses(422),
    },
  })

export const list = routes.get('/reservations', {
  operationId: 'listReservations',
  summary: 'List reservations',
  description: 'Customers find their own, and programs those that they made.',
  access: ['customer', 'stock-manager', 'operator', 'service'],
  request: {
    query: z.object({
      ...pageQuery,
      userid: idSchema.optional(),
      bookid: idSchema.optional(),
      status: z.enum(statuses).optional(),
    }),
  },
  responses: {
    200: pageAnswer({
      as: 'ReservationPage',
      name: 'reservations',
      item: reservationSchema,
      description: 'A page, newest first',
      example: examples.reservation,
      path: '/reservations',
    }),
  },
})

export const get = routes.get('/reservations/{reservationid}', {
  operationId: 'getReservation',
  summary: 'Get a reservation',
  description: 'Customers find their own, and programs those that they made.',
  access: ['customer', 'stock-manager', 'operator', 'service'],
  request: { params },
  responses: {
    200: jsonAnswer(reservationSchema, 'The reservation', examples.reservation),
    ...problemResponses(404),
  },
})

export const cancel = routes.patch('/reservations/{reservationid}', {
  operationId: 'cancelReservation',
  summary: 'Cancel a reservation',
  description:
    'A reservation can be canceled until it failed, its hold expired, or its copy was handed over. Canceling a reservation again has no further effect.',
  access: ['customer', 'stock-manager', 'service'],
  request: { params, body: jsonBody(cancellationSchema, examples.cancellation) },
  responses: {
    200: jsonAnswer(reservationSchema, 'The canceled reservation', examples.canceled),
    ...problemResponses(404, 409),
  },
})

export const events = routes.get('/reservations/{reservationid}/events', {
  operationId: 'followReservation',
  summary: 'Follow a reservation',
  description:
    'Server-Sent Events: the current status, then each change until the status is final. While the reservation waits, its position is sent too, at most once a minute.',
  access: ['customer', 'stock-manager', 'operator', 'service'],
  request: { params, headers: z.object({ 'last-event-id': z.string().optional() }) },
  responses: {
    200: {
      description: 'A stream of `status` and `position` events',
      headers: z.object({ 'x-accel-buffering': z.literal('no') }),
      content: { 'text/event-stream': { schema: eventSchema, example: examples.event } },
    },
    204: { description: 'The event named by `Last-Event-ID` was the final one' },
    ...problemResponses(404),
  },
})

export const eventsOfCustomer = routes.get('/reservations/events', {
  operationId: 'followReservations',
  summary: 'Follow all active reservations of a customer',
  description:
    'Server-Sent Events as of a single reservation, for those of the customer that are active when the stream begins, at most the newest 100. It ends when all are final. A client that reconnects starts again, whatever `Last-Event-ID` it sends: with the current status of those that are active by then. A reservation that ended meanwhile is not among them and can be read by itself; a reservation that was made meanwhile is.',
  access: ['customer', 'stock-manager', 'operator', 'service'],
  request: { query: z.object({ userid: idSchema }) },
  responses: {
    200: {
      description: 'A stream of `status` and `position` events',
      headers: z.object({ 'x-accel-buffering': z.literal('no') }),
      content: { 'text/event-stream': { schema: customerEventSchema, example: examples.customerEvent } },
    },
    204: { description: 'No reservation of the customer is active, so there is nothing to reconnect for' },
  },
})
