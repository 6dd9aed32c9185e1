/** Events of any type about one reservation, and what each does to its row. */
import fc from 'fast-check'
import { cancellationCauses, type StockEvent, stockRefusalReasons, withdrawalReasons } from '../messages.ts'
import { movesOf, type ReservationEvent, type Status } from './reservation.ts'

const other = '00000000-0000-4000-8000-0000000000ff'
const place = fc.integer({ min: 1, max: 600 })
const maybe = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined })
const pickupBy = fc.constantFrom('2026-12-01T09:00:00.000Z', '2026-12-05T09:00:00.000Z')

/** Also in orders that stock never sends. Half of them are of a book without a queue. */
export function anyEvent(of: { reservationid: string; bookid: string; userid: string }) {
  const common = fc.constant({ ...of, version: 1, available: 1, held: 1 })
  const event = <Type extends ReservationEvent['type']>(type: Type, more: Record<string, unknown> = {}) =>
    fc
      .tuple(common, fc.record(more as Record<string, fc.Arbitrary<unknown>>))
      .map(([its, others]) => withoutUndefined({ type, ...its, ...others }) as StockEvent)
  const plain = fc.oneof(
    event('CopyReserved'),
    event('ReservationRefused', { reason: fc.constantFrom('OutOfStock', 'UnknownBook') }),
    event('CopyReleased'),
  )
  const withQueue = fc.oneof(
    event('CopyReserved', { place, waited: maybe(fc.constant(true)), turn: maybe(fc.constant(2)) }),
    event('ReservationQueued', { place, position: place }),
    event('CopyShelved', { pickupBy: fc.option(pickupBy) }),
    event('PickupExtended', { pickupBy }),
    event('CopyHandedOver'),
    event('CopyReturned'),
    event('HoldExpired'),
    event('CopyTakenBack', { place, cause: fc.constantFrom(...withdrawalReasons), turn: fc.constant(2) }),
    event('ReservationRefused', {
      reason: fc.constantFrom(...stockRefusalReasons),
      other: maybe(fc.constant(other)),
      place: maybe(place),
    }),
    event('CopyReleased', { place: maybe(place), cause: maybe(fc.constantFrom(...cancellationCauses)) }),
  )
  return fc.oneof(plain, withQueue)
}

const withoutUndefined = (it: object) =>
  Object.fromEntries(Object.entries(it).filter(([, value]) => value !== undefined))

/** The columns of a reservation that events change. */
export type Row = {
  status: Status
  reason: string | null
  other: string | null
  place: number | null
  pickup_by: string | null
}

export const rowIn = (status: Status): Row => ({
  status,
  reason: null,
  other: null,
  place: null,
  pickup_by: null,
})

/** @returns the row after one event. */
export function after(row: Row, event: StockEvent): Row {
  if (!('reservationid' in event)) return row
  const status = movesOf(event)[row.status]
  if (!status) return row
  const moved = { ...row, status }
  if ('reason' in event) moved.reason = event.reason
  if ('other' in event) moved.other = event.other ?? null
  if ('pickupBy' in event) moved.pickup_by = event.pickupBy
  if ('place' in event && event.type !== 'CopyReleased' && event.type !== 'ReservationRefused')
    moved.place = event.place ?? null
  return moved
}

/** @returns the items in batches: of these sizes, then the rest. */
export function inBatches<Item>(items: Item[], sizes: number[]): Item[][] {
  const batches: Item[][] = []
  let from = 0
  for (const size of [...sizes, items.length]) {
    batches.push(items.slice(from, from + size))
    from += size
  }
  return batches.filter((it) => it.length > 0)
}

/** A queue of a book as stock moves it: the events, and the places that wait after each. */
export type QueueHistory = { event: StockEvent; waiting: number[] }[]

/** Begins shortly before the end of a chunk of places. */
export function anyQueue(bookid: string): fc.Arbitrary<QueueHistory> {
  const act = fc.record({
    what: fc.constantFrom('join', 'join', 'serve', 'leave', 'refuse', 'take back', 'repeat'),
    n: fc.nat(30),
  })
  return fc.array(act, { minLength: 5, maxLength: 60 }).map((acts) => {
    const waiting = new Set<number>()
    const served = new Set<number>()
    let lastPlace = 250
    const nth = (places: Set<number>, n: number) => [...places].sort((a, b) => a - b)[n % places.size]
    return acts.flatMap(({ what, n }, version) => {
      const place = what === 'join' ? ++lastPlace : nth(what === 'take back' ? served : waiting, n)
      if (place === undefined) return []
      if (what === 'join' || what === 'take back') waiting.add(place)
      else if (what !== 'repeat') waiting.delete(place)
      if (what === 'serve') served.add(place)
      else served.delete(place)
      const its = {
        bookid,
        version,
        available: 0,
        held: served.size,
        ...(waiting.size > 0 ? { waiting: waiting.size } : {}),
        reservationid: `00000000-0000-4000-8000-${String(place).padStart(12, '0')}`,
        userid: 'u',
        place,
      }
      const event = eventFor(what, its)
      return [{ event, waiting: [...waiting].sort((a, b) => a - b) }]
    })
  })
}

type Its = Omit<Extract<StockEvent, { type: 'ReservationQueued' }>, 'type' | 'position'>

function eventFor(what: string, its: Its): StockEvent {
  switch (what) {
    case 'serve':
      return { type: 'CopyReserved', ...its, waited: true }
    case 'leave':
      return { type: 'CopyReleased', ...its }
    case 'refuse':
      return { type: 'ReservationRefused', ...its, reason: 'WaitLapsed' }
    case 'take back':
      return { type: 'CopyTakenBack', ...its, cause: 'Lost', turn: 2 }
    default:
      return { type: 'ReservationQueued', ...its, position: 1 }
  }
}
