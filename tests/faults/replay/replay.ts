/**
 * Replays stock's event log from its first event, and checks each event against those before it. An independent
 * implementation of the rules, without stock's code: it can contradict it.
 */
import type { StockEvent } from '../../../actors/messages.ts'
import type { LogRow } from '../evidence.ts'
import { checkQueued, checkServed } from './arrivals.ts'
import { type Change, changeBetween, checkFigures, copies } from './figures.ts'
import { type EventOfLife, isOfLife, isRepeat, type Life, lifeAfter, steps } from './lives.ts'
import { checkPlain } from './plain.ts'
import { checkRefused } from './refusals.ts'
import type { Replay, Scene } from './scene.ts'
import { after, blank } from './shelf.ts'

export function replay(log: LogRow[]): Replay {
  const it: Replay = {
    shelves: new Map(),
    lives: new Map(),
    miscounted: [],
    contradicted: [],
    unjustified: [],
    releasedAgain: [],
    outOfOrder: [],
    overtaken: [],
    misplaced: [],
    doubled: [],
    premature: [],
    misdelivered: [],
    unfamiliar: [],
    idle: [],
  }
  for (const { partition, seq, time, event } of log) {
    const at: Scene = {
      it,
      where: `event ${partition}/${seq} ${event.type} of ${event.bookid}`,
      time,
      shelf: it.shelves.get(event.bookid) ?? blank(),
    }
    const change = isOfLife(event) ? live(at, event) : changeOf(at, event)
    checkFigures(at, change, event)
    checkPlain(at, event)
    it.shelves.set(event.bookid, after(at.shelf, event))
  }
  for (const [bookid, { available, queue }] of it.shelves)
    if (available > 0 && queue.size > 0)
      it.idle.push(`${bookid}: ${available} copies are available, and ${queue.size} reservations wait`)
  return it
}

/** @returns how the counts must have changed; undefined if they must not. Records violations. */
function changeOf({ it, where, shelf }: Scene, event: StockEvent): Change | undefined {
  if (event.type === 'CopiesReceived') return copies(event.qty)
  if (event.type === 'CopiesWithdrawn') return copies(-event.qty)
  if (event.type === 'PurchaseDeclined' && !shelf.rules)
    it.contradicted.push(`${where}: unexpected, as the book has no rules`)
  return undefined
}

/** Takes a step of a reservation's life. */
function live(at: Scene, event: EventOfLife): Change | undefined {
  const { it, where, shelf } = at
  const { reservationid } = event
  const life = it.lives.get(reservationid)
  if (life && life.userid !== event.userid)
    it.misdelivered.push(`${where}: ${reservationid} is of ${life.userid}, not of ${event.userid}`)
  if (life && isRepeat(life, event)) return repeat(at, event, life)
  const { from, to, plain = [] } = steps[event.type]
  if (!(shelf.rules ? from : plain).includes(life?.state)) {
    it.contradicted.push(`${where}: ${reservationid} was ${life?.state ?? 'unknown'} and is ${to}`)
    if (event.type === 'CopyHandedOver') it.misdelivered.push(`${where}: ${reservationid} was ${life?.state}`)
    return undefined
  }
  checkStep(at, event, life)
  const now = lifeAfter(life, event, shelf.rules !== undefined)
  if (life?.state === 'waiting') shelf.queue.delete(life.place!)
  if (to === 'waiting') shelf.queue.set(now.place!, reservationid)
  if (now.place !== undefined) shelf.lastPlace = Math.max(shelf.lastPlace, now.place)
  it.lives.set(reservationid, now)
  return changeBetween(life, now)
}

function repeat({ it, where, shelf }: Scene, event: EventOfLife, life: Life): undefined {
  const { reservationid } = event
  if (event.type === 'CopyReleased' && event.version > shelf.version)
    it.releasedAgain.push(`${where}: ${reservationid}`)
  if ('first' in event && event.first && shelf.rules) {
    const faults = event.type === 'CopyHandedOver' ? it.misdelivered : it.contradicted
    faults.push(`${where}: ${reservationid} is ${life.state} for the first time, again`)
  }
  const said = event as Pick<Life, 'place' | 'pickupBy' | 'reason'>
  for (const name of ['place', 'pickupBy', 'reason'] as const)
    if (name in event && said[name] !== life[name])
      it.contradicted.push(`${where}: ${reservationid} has ${name} ${life[name]}, not ${said[name]}`)
  return undefined
}

function checkStep(at: Scene, event: EventOfLife, life: Life | undefined): void {
  const { it, where, time, shelf } = at
  switch (event.type) {
    case 'CopyReserved':
      checkServed(at, event, life)
      return
    case 'ReservationQueued':
      checkQueued(at, event)
      return
    case 'ReservationRefused':
      checkRefused(at, event, life)
      return
    case 'CopyTakenBack': {
      // One from before the book had a queue takes the next.
      const { place = shelf.lastPlace + 1 } = life!
      if (event.place !== place) it.misplaced.push(`${where}: place ${event.place} instead of ${place}`)
      if (event.turn !== life!.turn + 1)
        it.contradicted.push(`${where}: turn ${event.turn} after ${life!.turn}`)
      return
    }
    case 'HoldExpired': {
      const { pickupBy } = life!
      if (!pickupBy || (time && time.getTime() < Date.parse(pickupBy)))
        it.premature.push(`${where}: at ${time?.toISOString()}, kept until ${pickupBy}`)
      return
    }
  }
}
