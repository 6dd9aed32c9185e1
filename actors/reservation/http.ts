/** The customers' HTTP API: reserve, read, cancel and follow reservations. */
import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { About, App } from '../../platform/http/app.ts'
import { goneOf } from '../../platform/http/departure.ts'
import { claimKey, idempotencyHeader } from '../../platform/http/idempotency.ts'
import { pageQuery, replyPage, uuidFrom } from '../../platform/http/paging.ts'
import type { Places } from '../../platform/http/places.ts'
import { Problem, problemResponses } from '../../platform/http/problem.ts'
import type { Reads } from '../../platform/http/reads.ts'
import { jsonHeaders, reply } from '../../platform/http/reply.ts'
import { createRoute } from '../../platform/http/route.ts'
import { jsonAnswer, jsonBody, pageAnswer } from '../../platform/http/schema.ts'
import { TimeLimit } from '../../platform/http/time-limit.ts'
import { traceOf } from '../../platform/http/trace.ts'
import type { Audit } from '../../platform/identity/audit.ts'
import {
  authOf,
  customerOf,
  forbidden,
  hasRole,
  maySee,
  ownOf,
  requireRole,
  whoOf,
} from '../../platform/identity/caller.ts'
import { operatorTag } from '../../platform/operators/operators-http.ts'
import type { Sql } from '../../streams/postgres.ts'
import { idSchema } from '../messages.ts'
import type { Acceptance } from './acceptance.ts'
import * as examples from './examples.ts'
import { follow, nothingToFollow } from './follow.ts'
import type { Positions } from './positions.ts'
import { type Cancellation, isFinal, type NewReservation, type Reservation, statuses } from './reservation.ts'
import {
  cancellationSchema,
  customerEventSchema,
  eventSchema,
  newReservationSchema,
  reservationSchema,
  toBody,
} from './resource.ts'
import * as store from './store.ts'

export const about: Omit<About, 'service'> = {
  title: 'Reservations',
  description: 'Reserve a copy of a book, follow or cancel the reservation, and search the book list.',
  tags: {
    reservations: 'Reserve, follow and cancel',
    books: 'The book list',
    standings: 'Limits and blocks of customers',
    ...operatorTag,
  },
}

/** The longest that a request may wait for the decision. */
const waitMaxS = 30

/** Of one customer, in one stream. */
const followedMax = 100
/** Reservations of a stream that need as much memory as a held request. */
const followedPerPlace = 10

export type ReservationHttpOptions = {
  app: App
  sql: Sql
  acceptance: Acceptance
  positions: Positions
  /** Limits the requests that wait or follow at a time. */
  held: Places
  lists: Reads
  /** Absent while identity is off. */
  audit?: Audit | undefined
  stopping: AbortSignal
}

const params = z.object({ reservationid: z.uuid() })

const create = (guarded: boolean) =>
  createRoute({
    method: 'post',
    path: '/reservations',
    operationId: 'reserve',
    summary: 'Reserve one copy of a book',
    description:
      'The reservation is accepted immediately, even if stock is down, and decided shortly after. With `Prefer: wait=N` (seconds, at most 30) the response is held until the reservation is decided. Beyond the customer’s limit, and while they are blocked, the reservation fails at once, with its reason.',
    tags: ['reservations'],
    access: ['customer', 'stock-manager', 'service'],
    request: {
      headers: z.object({
        'idempotency-key': idempotencyHeader,
        prefer: z.string().optional().openapi({ example: 'wait=5' }),
      }),
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

const list = createRoute({
  method: 'get',
  path: '/reservations',
  operationId: 'listReservations',
  summary: 'List reservations',
  tags: ['reservations'],
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

const get = createRoute({
  method: 'get',
  path: '/reservations/{reservationid}',
  operationId: 'getReservation',
  summary: 'Get a reservation',
  tags: ['reservations'],
  access: ['customer', 'stock-manager', 'operator', 'service'],
  request: { params },
  responses: {
    200: jsonAnswer(reservationSchema, 'The reservation', examples.reservation),
    ...problemResponses(404),
  },
})

const cancel = createRoute({
  method: 'patch',
  path: '/reservations/{reservationid}',
  operationId: 'cancelReservation',
  summary: 'Cancel a reservation',
  description:
    'A reservation can be canceled until it failed, its hold expired, or its copy was handed over. Canceling a reservation again has no further effect.',
  tags: ['reservations'],
  access: ['customer', 'stock-manager', 'service'],
  request: { params, body: jsonBody(cancellationSchema, examples.cancellation) },
  responses: {
    200: jsonAnswer(reservationSchema, 'The canceled reservation', examples.canceled),
    ...problemResponses(404, 409),
  },
})

const events = createRoute({
  method: 'get',
  path: '/reservations/{reservationid}/events',
  operationId: 'followReservation',
  summary: 'Follow a reservation',
  description:
    'Server-Sent Events: the current status, then each change until the status is final. While the reservation waits, its position is sent too, at most once a minute.',
  tags: ['reservations'],
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

const eventsOfCustomer = createRoute({
  method: 'get',
  path: '/reservations/events',
  operationId: 'followReservations',
  summary: 'Follow all active reservations of a customer',
  description:
    'Server-Sent Events as of a single reservation, for those of the customer that are active when the stream begins, at most the newest 100. It ends when all are final. A client that reconnects starts again, whatever `Last-Event-ID` it sends: with the current status of those that are active by then. One that ended meanwhile is not among them and can be read by itself, and one that was made meanwhile is.',
  tags: ['reservations'],
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

export function mountReservations(options: ReservationHttpOptions): void {
  const { app, sql, lists, acceptance, positions, held, stopping, audit } = options
  const read = (reservationid: string) => store.find(sql, reservationid)
  const following = (c: Context) => ({
    acceptance,
    positions,
    read,
    stopping,
    expiresAt: whoOf(c)?.expiresAt,
  })

  app.addRoute(create(app.guarded), async (c) => {
    const asked = c.req.valid('json')
    const wanted = app.guarded ? ofCaller(c, asked) : (asked as NewReservation)
    const { 'idempotency-key': key, prefer } = c.req.valid('header')
    const waitS = secondsToWait(prefer)
    // `try` rather than `using`, which is measurably slower on this path.
    const place = waitS > 0 ? held.take(ownOf(c)) : undefined
    try {
      const claim = key && { scope: keyScopeOf(c), key, payload: wanted, id: acceptance.newId() }
      const reservationid = claim ? await claimKey(sql, claim) : undefined
      const known = reservationid ? await store.find(sql, reservationid) : undefined
      const limit = TimeLimit.of(c)
      limit.check()
      const reservation = await acceptance.accept(
        { wanted, reservationid, known, traceparent: traceOf(c), auth: authOf(c), limit },
        waitS * 1_000,
        waitS > 0 ? goneOf(c) : undefined,
      )
      const resource = toBody(reservation)
      const headers = { ...jsonHeaders, location: resource._links.self.href }
      return reply(201, resource, waitS > 0 ? { ...headers, 'preference-applied': `wait=${waitS}` } : headers)
    } finally {
      place?.[Symbol.dispose]()
    }
  })

  app.addRoute(list, async (c) => {
    const { limit, after, userid: named, bookid, status } = c.req.valid('query')
    const userid = customerOf(c, named)
    await audit?.read(c, { action: 'listReservations', subject: userid ?? everyone })
    const before = after === undefined ? undefined : uuidFrom(after)
    const rows = await lists.run(
      (sql) => store.list(sql, { userid, bookid, status, before, limit: limit + 1 }),
      c.req.raw.signal,
    )
    return replyPage(c, 'reservations', rows, limit, (row) => [row.reservationid], toBody)
  })

  // Ahead of the routes with an id in this place.
  app.addRoute(eventsOfCustomer, async (c) => {
    using places = new DisposableStack()
    places.use(held.take(ownOf(c)))
    const userid = customerOf(c, c.req.valid('query').userid)
    await audit?.read(c, { action: 'followReservations', subject: userid })
    const reservations = await lists.run(
      (sql) => store.listActive(sql, userid, followedMax),
      c.req.raw.signal,
    )
    if (reservations.length === 0) return nothingToFollow(c)
    for (let count = followedPerPlace; count < reservations.length; count += followedPerPlace)
      places.use(held.take(ownOf(c)))
    const idOf = ({ reservationid, status }: Reservation) => `${reservationid}/${status}`
    return follow(c, { reservations, idOf, ...following(c), places })
  })

  app.addRoute(get, async (c) => reply(200, toBody(await found(c, 'getReservation'))))

  app.addRoute(cancel, async (c) => {
    const { reservationid } = c.req.valid('param')
    const { status, ...cancellation } = c.req.valid('json')
    if (app.guarded) checkCause(c, cancellation)
    // The answer shows the reservation, also if nothing changes and so no event says who did it.
    if (whoOf(c)?.authtype === 'app_user') await found(c, 'cancelReservation')
    const reservation = await acceptance.change(reservationid, status, traceOf(c), cancellation, authOf(c))
    if (!reservation) throw notFound()
    if (reservation.status !== status) {
      throw new Problem('not-cancelable', {
        detail: `The reservation is ${reservation.status} and ${reservation.status === 'Collected' ? 'its copy was handed over' : 'holds no copy'}.`,
      })
    }
    return reply(200, toBody(reservation))
  })

  app.addRoute(events, async (c) => {
    using places = new DisposableStack()
    places.use(held.take(ownOf(c)))
    const reservation = await found(c, 'followReservation')
    const idOf = ({ status }: Reservation) => status
    // A client that reconnects after the final event is to stop.
    if (isFinal(reservation.status) && c.req.header('last-event-id') === idOf(reservation))
      return nothingToFollow(c)
    return follow(c, { reservations: [reservation], idOf, ...following(c), places })
  })

  async function found(c: Context, action: string): Promise<Reservation> {
    const row = await store.find(sql, c.req.param('reservationid')!.toLowerCase())
    if (!row || !maySee(c, row.userid)) throw notFound()
    await audit?.read(c, { action, subject: row.userid, detail: row.reservationid })
    return row
  }
}

/** Customers choose keys without knowing of each other. Staff and programs share theirs, as all callers do while identity is off. */
function keyScopeOf(c: Context): string {
  const own = ownOf(c)
  return own === undefined ? 'POST /reservations' : `POST /reservations of ${own}`
}

/** The subject of a list that names no customer. */
const everyone = '*'

const notFound = () => new Problem('not-found', { detail: 'No reservation has this id.' })

/** @returns the reservation for the caller themselves, or for the customer that staff or a program names. */
function ofCaller(
  c: Context,
  asked: Partial<NewReservation> & Pick<NewReservation, 'bookid'>,
): NewReservation {
  const userid = customerOf(c, asked.userid)
  if (userid === undefined) throw invalid('/userid', 'must name the customer')
  if (asked.overLimit) requireRole(c, 'Only staff reserve beyond the limit.', 'stock-manager')
  return { ...asked, userid }
}

/** Staff say why they cancel. A customer needs no reason, and cannot pretend to be staff. */
function checkCause(c: Context, { cause }: Cancellation): void {
  if (ownOf(c) !== undefined) {
    if (cause !== undefined && cause !== 'Customer')
      throw forbidden('Customers cancel with no other cause than Customer.')
  } else if (cause === undefined && whoOf(c) && !hasRole(c, 'service')) {
    throw invalid('/cause', 'must say why, because it is not the customer who cancels')
  }
}

const invalid = (pointer: string, detail: string) =>
  new Problem('invalid-input', { errors: [{ pointer, detail }] })

/** RFC 7240. An invalid preference is ignored, and one above `waitMaxS` is lowered to it. */
function secondsToWait(prefer: string | undefined): number {
  const seconds = prefer?.match(/(?:^|[,;\s])wait\s*=\s*"?(\d{1,6})"?\s*(?:$|[,;])/i)?.[1]
  return seconds === undefined ? 0 : Math.min(Number(seconds), waitMaxS)
}
