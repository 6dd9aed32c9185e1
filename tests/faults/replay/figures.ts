/** The counts of each event follow from those of the event before. */
import type { StockEvent } from '../../../actors/messages.ts'
import { countsOf, type Life } from './lives.ts'
import type { Scene } from './scene.ts'

export type Change = { available: number; held: number; out: number; waiting: number }

export const copies = (available: number): Change => ({ available, held: 0, out: 0, waiting: 0 })

export function changeBetween(before: Life | undefined, now: Life): Change | undefined {
  const [was, is] = [countsOf(before?.state), countsOf(now.state)]
  const [held, out, waiting] = [is.held - was.held, is.out - was.out, is.waiting - was.waiting]
  if (held === 0 && out === 0 && waiting === 0) return undefined
  return { available: 0 - held - out, held, out, waiting }
}

export function checkFigures(
  { it, where, shelf }: Scene,
  change: Change | undefined,
  event: StockEvent,
): void {
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
