/**
 * Replays stock's event log from its first event, and checks each event against those before it. An independent
 * implementation of the rules, without stock's code.
 */
import type { StockEvent } from '../../actors/messages.ts'
import type { LogRow } from './evidence.ts'

export type Shelf = { title: string; available: number; held: number; version: number; received: boolean }
export type Memory = 'held' | 'refused' | 'released'

export type Replay = {
  shelves: Map<string, Shelf>
  reservations: Map<string, Memory>
  /** Events whose figures do not follow from the events before. */
  miscounted: string[]
  /** Outcomes that contradict an earlier one. */
  contradicted: string[]
  unjustified: string[]
  releasedAgain: string[]
}

const now = { CopyReserved: 'held', ReservationRefused: 'refused', CopyReleased: 'released' } as const
type Decision = Extract<StockEvent, { type: keyof typeof now }>
const isDecision = (event: StockEvent): event is Decision => event.type in now
type Change = { available: number; held: number }
const none: Change = { available: 0, held: 0 }

export function replay(log: LogRow[]): Replay {
  const it: Replay = {
    shelves: new Map(),
    reservations: new Map(),
    miscounted: [],
    contradicted: [],
    unjustified: [],
    releasedAgain: [],
  }
  for (const { partition, seq, event } of log) {
    const where = `event ${partition}/${seq} ${event.type} of ${event.bookid}`
    const shelf = it.shelves.get(event.bookid) ?? blank
    const change = changeOf(it, shelf, event, where)
    checkFigures(it, shelf, change, event, where)
    it.shelves.set(event.bookid, {
      title: event.type === 'CopiesReceived' ? event.title : shelf.title,
      available: event.available,
      held: event.held,
      version: event.version,
      received: shelf.received || event.type === 'CopiesReceived',
    })
  }
  return it
}

const blank: Shelf = { title: '', available: 0, held: 0, version: 0, received: false }

/** @returns how the copies must have changed; undefined if they must not. Records violations. */
function changeOf(it: Replay, shelf: Shelf, event: StockEvent, where: string): Change | undefined {
  if (event.type === 'CopiesReceived') return { available: event.qty, held: 0 }
  if (event.type === 'PurchaseRequested' || event.type === 'CopiesOrdered') return undefined
  if (isDecision(event)) return decide(it, shelf, event, where)
  it.contradicted.push(`${where}: unexpected, as the book has no rules`)
  return undefined
}

function decide(it: Replay, shelf: Shelf, event: Decision, where: string): Change | undefined {
  const { reservationid } = event
  const before = it.reservations.get(reservationid)
  const after = now[event.type]
  it.reservations.set(reservationid, after)
  if (before === after) {
    if (after === 'released' && event.version > shelf.version)
      it.releasedAgain.push(`${where}: ${reservationid}`)
    return undefined
  }
  if (before !== undefined && (before === 'released' || after !== 'released')) {
    it.contradicted.push(`${where}: ${reservationid} was ${before} and is ${after}`)
    return undefined
  }
  if (event.type === 'CopyReserved') return { available: -1, held: 1 }
  if (event.type === 'CopyReleased') return before === 'held' ? { available: 1, held: -1 } : undefined
  const reason = shelf.received ? 'OutOfStock' : 'UnknownBook'
  if (shelf.available > 0) it.unjustified.push(`${where}: there were ${shelf.available} copies`)
  else if (event.reason !== reason) it.unjustified.push(`${where}: ${event.reason}, but must be ${reason}`)
  return undefined
}

function checkFigures(
  it: Replay,
  shelf: Shelf,
  change: Change | undefined,
  event: StockEvent,
  where: string,
): void {
  const { available, held } = change ?? none
  const wanted = {
    version: shelf.version + (change ? 1 : 0),
    available: shelf.available + available,
    held: shelf.held + held,
  }
  const found = { version: event.version, available: event.available, held: event.held }
  if (wanted.available < 0) it.miscounted.push(`${where}: a missing copy was promised`)
  if (JSON.stringify(found) !== JSON.stringify(wanted))
    it.miscounted.push(`${where}: says ${JSON.stringify(found)}, must be ${JSON.stringify(wanted)}`)
}
