/** Events of any type about one reservation, and what each does to its row. */
import fc from 'fast-check'
import { cancellationCauses, type StockEvent, stockRefusalReasons, withdrawalReasons } from '../messages.ts'
import { moves, type ReservationEvent, type Status, withdrawn } from './reservation.ts'

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
    event('CopyReserved', { place, waited: maybe(fc.constant(true)) }),
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
  const isWithdrawal = event.type === 'ReservationRefused' && event.reason === 'CopyWithdrawn'
  const allowed: { [From in Status]?: Status } = isWithdrawal ? withdrawn : moves[event.type]
  const status = allowed[row.status]
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
