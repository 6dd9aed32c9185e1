/** A reservation gets a copy or a place: those who wait come first, in their order. */
import { type EventOfLife, isActive, type Life } from './lives.ts'
import type { Replay, Scene } from './scene.ts'
import { original } from './shelf.ts'

type Served = Extract<EventOfLife, { type: 'CopyReserved' }>
type Queued = Extract<EventOfLife, { type: 'ReservationQueued' }>

export function checkServed(at: Scene, event: Served, life: Life | undefined): void {
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

export function checkQueued(at: Scene, event: Queued): void {
  const { it, where, shelf } = at
  if (shelf.available > 0 && shelf.queue.size === 0)
    it.unjustified.push(`${where}: there were ${shelf.available} copies, and the queue was empty`)
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
    if (life.bookid === bookid && life.userid === userid && life.ruled && isActive(life)) return life
  return undefined
}
