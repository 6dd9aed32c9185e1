/** The customers' HTTP API: reserve, read, cancel and follow reservations. */
import type { Context } from 'hono'
import type { About, App } from '../../platform/http/app.ts'
import { isGoneOf } from '../../platform/http/departure.ts'
import { claimKey } from '../../platform/http/idempotency.ts'
import { replyPage, uuidFrom } from '../../platform/http/paging.ts'
import type { Places } from '../../platform/http/places.ts'
import { Problem } from '../../platform/http/problem.ts'
import type { Reads } from '../../platform/http/reads.ts'
import { jsonHeaders, reply } from '../../platform/http/reply.ts'
import { TimeLimit } from '../../platform/http/time-limit.ts'
import { traceOf } from '../../platform/http/trace.ts'
import { type Audit, everyone } from '../../platform/identity/audit.ts'
import {
  authOf,
  customerOf,
  forbidden,
  hasRole,
  maySee,
  ownOf,
  ownProgramOf,
  requireRole,
  whoOf,
} from '../../platform/identity/caller.ts'
import { operatorTag } from '../../platform/operators/operators-http.ts'
import type { Sql } from '../../streams/postgres.ts'
import type { Acceptance } from './acceptance.ts'
import { follow, nothingToFollow } from './follow.ts'
import type { Positions } from './positions.ts'
import { type Cancellation, isFinal, type NewReservation, type Reservation } from './reservation.ts'
import { toBody } from './resource.ts'
import { cancel, create, events, eventsOfCustomer, get, list } from './routes.ts'
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
  searches: Reads
  /** 0: no limit, and no blocks. */
  activeMax: number
  eventRetentionDays: number
  /** By Postgres's clock. */
  now(): Date
  /** Called when stock must learn of a block, of its end, or of a customer to forget. */
  noted(): void
  /** Absent while identity is off. */
  audit?: Audit | undefined
  stopping: AbortSignal
}

export function mountReservations(
  options: Omit<ReservationHttpOptions, 'searches' | 'activeMax' | 'eventRetentionDays' | 'now' | 'noted'>,
): void {
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
      const reservationid = key ? await claimed(c, key, wanted) : undefined
      const known = reservationid ? await store.find(sql, reservationid) : undefined
      const limit = TimeLimit.of(c)
      limit.check()
      const reservation = await acceptance.accept(
        { wanted, reservationid, known, traceparent: traceOf(c), auth: authOf(c), limit },
        waitS * 1_000,
        waitS > 0 ? isGoneOf(c) : undefined,
      )
      return created(reservation, waitS)
    } finally {
      place?.[Symbol.dispose]()
    }
  })

  app.addRoute(list, async (c) => {
    const { limit, after, userid: named, bookid, status } = c.req.valid('query')
    const userid = customerOf(c, named)
    const program = programOf(c)
    if (program === undefined)
      await audit?.note(c, { action: 'listReservations', subject: userid ?? everyone })
    const before = after === undefined ? undefined : uuidFrom(after)
    const rows = await lists.for(c, (sql) =>
      store.list(sql, { userid, bookid, status, program, before, limit: limit + 1 }),
    )
    return replyPage(c, 'reservations', rows, limit, (row) => [row.reservationid], toBody)
  })

  // Ahead of the routes with an id in this place.
  app.addRoute(eventsOfCustomer, async (c) => {
    using places = new DisposableStack()
    places.use(held.take(ownOf(c)))
    const userid = customerOf(c, c.req.valid('query').userid)
    const program = programOf(c)
    if (program === undefined) await audit?.note(c, { action: 'followReservations', subject: userid })
    const reservations = await lists.for(c, (sql) => store.listActive(sql, userid, followedMax, program))
    if (reservations.length === 0) return nothingToFollow(c)
    for (let count = followedPerPlace; count < reservations.length; count += followedPerPlace)
      places.use(held.take(ownOf(c)))
    const idOf = ({ reservationid, status }: Reservation) => `${reservationid}/${status}`
    return follow(c, { reservations, idOf, ...following(c), places })
  })

  app.addRoute(get, async (c) => reply(200, toBody(await found(c, 'getReservation', programOf(c)))))

  app.addRoute(cancel, async (c) => {
    const { reservationid } = c.req.valid('param')
    const { status, ...cancellation } = c.req.valid('json')
    if (app.guarded) checkCause(c, cancellation)
    // The answer shows the reservation, also if nothing changes and so no event says who did it.
    if (app.guarded) await found(c, 'cancelReservation')
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
    const reservation = await found(c, 'followReservation', programOf(c))
    const idOf = ({ status }: Reservation) => status
    // A client that reconnects after the final event must stop.
    if (isFinal(reservation.status) && c.req.header('last-event-id') === idOf(reservation))
      return nothingToFollow(c)
    return follow(c, { reservations: [reservation], idOf, ...following(c), places })
  })

  /** @returns the id of the key's reservation. */
  function claimed(c: Context, key: string, payload: NewReservation): Promise<string> {
    return claimKey(sql, { scope: keyScopeOf(c), key, payload, id: acceptance.newId() })
  }

  async function found(c: Context, action: string, program?: string): Promise<Reservation> {
    const row = await store.find(sql, c.req.param('reservationid')!.toLowerCase(), program)
    if (!row || !maySee(c, row.userid)) throw notFound()
    if (program === undefined)
      await audit?.note(c, { action, subject: row.userid, detail: row.reservationid })
    return row
  }
}

function created(reservation: Reservation, waitS: number) {
  const resource = toBody(reservation)
  const location = resource._links.self.href
  const headers =
    waitS > 0
      ? { ...jsonHeaders, location, 'preference-applied': `wait=${waitS}` }
      : { ...jsonHeaders, location }
  return reply(201, resource, headers)
}

/** Customers choose keys without knowing of each other. Staff and programs share theirs, as all callers do while identity is off. */
function keyScopeOf(c: Context): string {
  const own = ownOf(c)
  return own === undefined ? 'POST /reservations' : `POST /reservations of ${own}`
}

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

/** @returns the program whose own reservations are all that the caller may read. */
const programOf = (c: Context): string | undefined => ownProgramOf(c, 'stock-manager', 'operator')

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
