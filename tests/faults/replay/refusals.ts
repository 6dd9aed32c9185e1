/** A reservation fails only for a reason that is true at its place in the log. */
import { type EventOfLife, isActive, type Life } from './lives.ts'
import type { Scene } from './scene.ts'
import { original, type Shelf } from './shelf.ts'

type Refused = Extract<EventOfLife, { type: 'ReservationRefused' }>

export function checkRefused(at: Scene, event: Refused, life: Life | undefined): void {
  const { it, where, shelf } = at
  const why = life ? whyNotEnded(shelf, event, life) : whyNotRefused(at, event)
  if (why) it.unjustified.push(`${where}: ${event.reason}, but ${why}`)
  // No run lasts for days.
  if (event.reason === 'WaitLapsed') it.premature.push(where)
}

/** @returns why a reservation that waits or holds a copy may not fail. */
function whyNotEnded(shelf: Shelf, { reason }: Refused, { state }: Life): string | undefined {
  if (reason === 'CopyWithdrawn') return state === 'waiting' ? 'it waited' : undefined
  if (state !== 'waiting') return `it was ${state}`
  if (reason === 'NotAcquired')
    return copiesOf(shelf) > 0 ? `there were ${copiesOf(shelf)} copies` : undefined
  return reason === 'WaitLapsed' ? undefined : 'it waited'
}

/** Copies that may yet be available. */
const copiesOf = ({ owned, onOrder, out, rules }: Shelf) => owned + onOrder - (rules?.lend ? 0 : out)

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
  if (reason === 'NotAcquired') {
    const isGone = shelf.queue.size > 0 && copiesOf(shelf) === 0
    return isGone ? undefined : `${shelf.queue.size} waited for ${copiesOf(shelf)} copies`
  }
  if (reason === 'QueueFull') {
    if (shelf.queue.size === 0) return 'the queue was empty'
    const perCopy = queuePerCopy === null ? queueMax : queuePerCopy * copiesOf(shelf)
    return shelf.queue.size < Math.min(queueMax, perCopy) ? `only ${shelf.queue.size} waited` : undefined
  }
  const wanted = shelf.received ? 'OutOfStock' : 'UnknownBook'
  return reason === wanted ? undefined : `must be ${wanted}`
}
