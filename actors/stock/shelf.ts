/**
 * Decides what happens to a copy that is set aside: staff put it on the hold shelf, extend its deadline, hand it over and take it
 * back when it is returned; the clock lets holds and waits end.
 */
import type { StockCommand, StockEvent } from '../messages.ts'
import { figuresOf, moved } from './book.ts'
import { again, isHeld } from './hold.ts'
import { serve, shelved } from './queue.ts'
import { refuse, type StockState } from './state.ts'

type Command<Type extends StockCommand['type']> = Extract<StockCommand, { type: Type }>

export function shelve(message: Command<'ShelveCopy'>, state: StockState): StockEvent[] {
  const { book, hold, shelf } = state
  if (hold?.status === 'ready') return []
  if (hold?.status !== 'held') return refuse(message, state, 'NotHeld')
  return [shelved(book, whose(message, state), again(hold), shelf.pickupBy)]
}

export function extend(message: Command<'ExtendPickup'>, state: StockState): StockEvent[] {
  const { book, hold } = state
  const { pickupBy } = message
  if (hold?.status !== 'ready') return refuse(message, state, isHeld(hold) ? 'NotReady' : 'NotHeld')
  if (hold.pickupBy === pickupBy) return []
  return [{ type: 'PickupExtended', ...figuresOf(book), ...whose(message, state), pickupBy, ...again(hold) }]
}

export function handOver(message: Command<'HandOverCopy'>, state: StockState): StockEvent[] {
  const { book, hold } = state
  if (!isHeld(hold) && hold?.status !== 'collected') return refuse(message, state, 'NotHeld')
  if (message.userid !== undefined && message.userid !== state.userid)
    return refuse(message, state, 'OtherCustomer')
  if (hold.status === 'collected') return []
  if (state.blocked) return refuse(message, state, 'CustomerBlocked')
  const now = moved(book, { held: -1, out: 1 })
  return [{ type: 'CopyHandedOver', ...figuresOf(now), ...whose(message, state), first: true }]
}

export function takeReturn(message: Command<'ReturnCopy'>, state: StockState): StockEvent[] {
  const { book, hold, rules, queue, shelf } = state
  if (hold?.status === 'returned') return []
  // A customer who is forgotten has no copy out, even if the book is lent by now.
  if (hold?.status !== 'collected' || state.userid === '') return refuse(message, state, 'NotOut')
  if (!rules.lend && !state.lent) return refuse(message, state, 'NotLent')
  const now = moved(book, { out: -1, available: 1 })
  return [
    { type: 'CopyReturned', ...figuresOf(now), ...whose(message, state), first: true },
    ...serve(now, queue, shelf),
  ]
}

/** A deadline that was extended beyond the time at which the clock looked has not passed. */
export function expire(message: Command<'ExpireHold'>, state: StockState): StockEvent[] {
  const { book, hold, queue, shelf } = state
  if (hold?.status !== 'ready' || !hasPassed(hold.pickupBy, message.at)) return []
  const now = moved(book, { held: -1, available: 1 })
  return [
    { type: 'HoldExpired', ...figuresOf(now), ...whose(message, state), first: true },
    ...serve(now, queue, shelf),
  ]
}

export function lapse(message: Command<'LapseWait'>, state: StockState): StockEvent[] {
  const { book, hold } = state
  if (hold?.status !== 'waiting' || !hasPassed(hold.lapsesAt, message.at)) return []
  const { place } = hold
  return [
    {
      type: 'ReservationRefused',
      ...figuresOf(moved(book, { waiting: -1 })),
      ...whose(message, state),
      reason: 'WaitLapsed',
      place,
      first: true,
    },
  ]
}

const hasPassed = (deadline: string | null, at: string) =>
  deadline !== null && Date.parse(deadline) <= Date.parse(at)

/** A known hold has a customer. */
const whose = ({ reservationid }: { reservationid: string }, { userid }: StockState) => ({
  reservationid,
  userid: userid!,
})
