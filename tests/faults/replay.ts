/**
 * Replays stock's event log from its first event, and checks each event against those before it. An independent
 * implementation of the rules, without stock's code: it can contradict it.
 */
import type { BookRules, StockEvent } from '../../actors/messages.ts'
import type { LogRow } from './evidence.ts'
import {
  countsOf,
  type EventOfLife,
  isActive,
  isOfLife,
  isRepeat,
  type Life,
  lifeAfter,
  steps,
} from './lives.ts'

export type Shelf = {
  title: string
  available: number
  held: number
  out: number
  waiting: number
  version: number
  received: boolean
  /** Copies received, without those withdrawn. */
  owned: number
  onOrder: number
  /** Undefined: none were ever set. */
  rules: Rules | undefined
  /** Reservations that wait, by place. */
  queue: Map<number, string>
  lastPlace: number
}

type Rules = Required<BookRules>

export type Replay = {
  shelves: Map<string, Shelf>
  lives: Map<string, Life>
  /** Events whose figures do not follow from the events before. */
  miscounted: string[]
  /** Steps that no reservation may take. */
  contradicted: string[]
  unjustified: string[]
  releasedAgain: string[]
  /** Reservations that were served before one with a lower place. */
  outOfOrder: string[]
  /** Newcomers that were served while others waited. */
  overtaken: string[]
  /** Places that were given again, or were lost. */
  misplaced: string[]
  /** Second reservations of a customer, of books that allow one. */
  doubled: string[]
  /** Holds and waits that ended before their time. */
  premature: string[]
  /** Copies handed over again, or to another customer. */
  misdelivered: string[]
  /** Books with an available copy while a reservation waits, after the last event. */
  idle: string[]
}

const original: Rules = {
  queueMax: 0,
  queuePerCopy: null,
  pickupDays: null,
  pullStep: false,
  onePerBook: false,
  waitDays: null,
  lend: false,
}

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
    it.shelves.set(event.bookid, after(at.shelf, event))
  }
  for (const [bookid, { available, queue }] of it.shelves)
    if (available > 0 && queue.size > 0)
      it.idle.push(`${bookid}: ${available} copies are available, and ${queue.size} reservations wait`)
  return it
}

/** An event, and the book before it. */
type Scene = { it: Replay; where: string; time: Date | undefined; shelf: Shelf }
type Change = { available: number; held: number; out: number; waiting: number }

const blank = (): Shelf => ({
  title: '',
  available: 0,
  held: 0,
  out: 0,
  waiting: 0,
  version: 0,
  received: false,
  owned: 0,
  onOrder: 0,
  rules: undefined,
  queue: new Map(),
  lastPlace: 0,
})

const copies = (available: number): Change => ({ available, held: 0, out: 0, waiting: 0 })

/** @returns how the counts must have changed; undefined if they must not. Records violations. */
function changeOf({ it, where, shelf }: Scene, event: StockEvent): Change | undefined {
  if (event.type === 'CopiesReceived') return copies(event.qty)
  if (event.type === 'CopiesWithdrawn') return copies(-event.qty)
  if (event.type === 'PurchaseDeclined' && !shelf.rules)
    it.contradicted.push(`${where}: unexpected, as the book has no rules`)
  return undefined
}

function after(shelf: Shelf, event: StockEvent): Shelf {
  const { available, held, out = 0, waiting = 0, version } = event
  const now = { ...shelf, available, held, out, waiting, version }
  switch (event.type) {
    case 'CopiesReceived': {
      const onOrder = event.purchaseid ? Math.max(0, shelf.onOrder - event.qty) : shelf.onOrder
      return { ...now, title: event.title, received: true, owned: shelf.owned + event.qty, onOrder }
    }
    case 'CopiesWithdrawn':
      return { ...now, owned: shelf.owned - event.qty }
    case 'CopiesOrdered':
      return { ...now, onOrder: shelf.onOrder + event.qty }
    case 'RulesChanged':
      return { ...now, rules: { ...original, ...event.rules } as Rules }
    default:
      return now
  }
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
  const now = lifeAfter(life, event)
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

function changeBetween(before: Life | undefined, now: Life): Change | undefined {
  const [was, is] = [countsOf(before?.state), countsOf(now.state)]
  const [held, out, waiting] = [is.held - was.held, is.out - was.out, is.waiting - was.waiting]
  if (held === 0 && out === 0 && waiting === 0) return undefined
  return { available: 0 - held - out, held, out, waiting }
}

function checkStep(at: Scene, event: EventOfLife, life: Life | undefined): void {
  const { it, where, time } = at
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
    case 'CopyTakenBack':
      if (event.place !== life!.place)
        it.misplaced.push(`${where}: place ${event.place} instead of ${life!.place}`)
      if (event.turn !== life!.turn + 1)
        it.contradicted.push(`${where}: turn ${event.turn} after ${life!.turn}`)
      return
    case 'HoldExpired': {
      const { pickupBy } = life!
      if (!pickupBy || (time && time.getTime() < Date.parse(pickupBy)))
        it.premature.push(`${where}: at ${time?.toISOString()}, kept until ${pickupBy}`)
      return
    }
  }
}

type Served = Extract<EventOfLife, { type: 'CopyReserved' }>
type Queued = Extract<EventOfLife, { type: 'ReservationQueued' }>
type Refused = Extract<EventOfLife, { type: 'ReservationRefused' }>

function checkServed(at: Scene, event: Served, life: Life | undefined): void {
  const { it, where, shelf } = at
  if (!life) {
    if (shelf.queue.size > 0) it.overtaken.push(`${where}: ${shelf.queue.size} reservations waited`)
    checkNewcomer(at, event)
    return
  }
  const ahead = [...shelf.queue.keys()].filter((place) => place < life.place!)
  if (ahead.length > 0) it.outOfOrder.push(`${where}: place ${life.place} before ${Math.min(...ahead)}`)
  if (event.place !== life.place) it.misplaced.push(`${where}: place ${event.place} instead of ${life.place}`)
}

function checkQueued(at: Scene, event: Queued): void {
  const { it, where, shelf } = at
  if (shelf.available > 0 && shelf.queue.size === 0)
    it.unjustified.push(`${where}: there were ${shelf.available} copies, and nobody waited`)
  const position = shelf.queue.size + 1
  if (event.position !== position)
    it.misplaced.push(`${where}: position ${event.position} instead of ${position}`)
  checkNewcomer(at, event)
}

/** A reservation that the book accepts. */
function checkNewcomer({ it, where, shelf }: Scene, { userid, bookid, place }: Served | Queued): void {
  const { queueMax, onePerBook } = shelf.rules ?? original
  const wanted = queueMax > 0 ? shelf.lastPlace + 1 : undefined
  if (place !== wanted) it.misplaced.push(`${where}: place ${place} instead of ${wanted}`)
  if (onePerBook && twinOf(it, bookid, userid)) it.doubled.push(`${where}: ${userid} has another`)
}

function twinOf({ lives }: Replay, bookid: string, userid: string): Life | undefined {
  for (const life of lives.values())
    if (life.bookid === bookid && life.userid === userid && isActive(life)) return life
  return undefined
}

function checkRefused(at: Scene, event: Refused, life: Life | undefined): void {
  const { it, where, shelf } = at
  const why = life ? whyNotEnded(shelf, event, life) : whyNotRefused(at, event)
  if (why) it.unjustified.push(`${where}: ${event.reason}, but ${why}`)
  // No run lasts for days.
  if (event.reason === 'WaitLapsed') it.premature.push(where)
}

/** @returns why a reservation that waits or holds a copy may not fail. */
function whyNotEnded({ owned, onOrder }: Shelf, { reason }: Refused, { state }: Life): string | undefined {
  if (reason === 'CopyWithdrawn') return state === 'waiting' ? 'it waited' : undefined
  if (state !== 'waiting') return `it was ${state}`
  if (reason === 'NotAcquired') return owned + onOrder > 0 ? `there were ${owned} copies` : undefined
  return reason === 'WaitLapsed' ? undefined : 'it waited'
}

/** @returns why a newcomer may not be refused. */
function whyNotRefused({ it, shelf }: Scene, event: Refused): string | undefined {
  const { reason, bookid, userid, other = '' } = event
  const { queueMax, queuePerCopy, onePerBook } = shelf.rules ?? original
  if (reason === 'AlreadyReserved' || reason === 'AlreadyHas') {
    const twin = it.lives.get(other)
    const isTheirs = onePerBook && twin?.bookid === bookid && twin.userid === userid
    const fits = reason === 'AlreadyHas' ? twin?.state === 'collected' : twin && isActive(twin)
    return isTheirs && fits ? undefined : `${other || 'none'} is ${twin?.state} of ${twin?.userid}`
  }
  if (shelf.available > 0 && shelf.queue.size === 0) return `there were ${shelf.available} copies`
  if (reason === 'QueueFull') {
    const perCopy = queuePerCopy === null ? queueMax : queuePerCopy * (shelf.owned + shelf.onOrder)
    return shelf.queue.size < Math.min(queueMax, perCopy) ? `only ${shelf.queue.size} waited` : undefined
  }
  const wanted = shelf.received ? 'OutOfStock' : 'UnknownBook'
  return reason === wanted ? undefined : `must be ${wanted}`
}

function checkFigures({ it, where, shelf }: Scene, change: Change | undefined, event: StockEvent): void {
  const { available, held, out, waiting } = change ?? copies(0)
  const wanted = {
    version: shelf.version + (change ? 1 : 0),
    available: shelf.available + available,
    held: shelf.held + held,
    out: shelf.out + out,
    waiting: shelf.waiting + waiting,
  }
  const found = {
    version: event.version,
    available: event.available,
    held: event.held,
    out: event.out ?? 0,
    waiting: event.waiting ?? 0,
  }
  const owned =
    shelf.owned +
    (event.type === 'CopiesReceived' ? event.qty : 0) -
    (event.type === 'CopiesWithdrawn' ? event.qty : 0)
  if (found.available + found.held + found.out !== owned)
    it.miscounted.push(`${where}: there are ${owned} copies, not ${JSON.stringify(found)}`)
  if (wanted.available < 0) it.miscounted.push(`${where}: a missing copy was promised`)
  if (JSON.stringify(found) !== JSON.stringify(wanted))
    it.miscounted.push(`${where}: says ${JSON.stringify(found)}, must be ${JSON.stringify(wanted)}`)
}
