/**
 * The queues of a batch's books: the heads that were loaded, with the changes of the batch. A head is enough, because only the
 * lowest places are served; what is behind it stays in Postgres.
 */
import type { StockEvent } from '../messages.ts'
import { servedMax, type Wait } from './queue.ts'

export class Waits {
  readonly #heads = new Map<string, Head>()

  /** @param isAll whether these are all who wait for the book. */
  load(bookid: string, waits: Wait[], isAll: boolean): void {
    this.#heads.set(bookid, { waits, isAll })
  }

  /** @returns those to serve first. */
  headOf(bookid: string): readonly Wait[] {
    return this.#heads.get(bookid)?.waits.slice(0, servedMax) ?? []
  }

  /** @param event that does not repeat an answer. */
  follow(event: StockEvent): void {
    if (!('place' in event) || event.place === undefined) return
    const { bookid, reservationid, userid, place } = event
    const turn = event.type === 'CopyTakenBack' ? event.turn : 1
    if (event.type === 'ReservationQueued' || event.type === 'CopyTakenBack') {
      // The first of a new queue.
      if (event.waiting === 1) this.load(bookid, [], true)
      const head = this.#heads.get(bookid)
      if (head) add(head, { reservationid, userid, place, turn })
    } else {
      const head = this.#heads.get(bookid)
      if (head) head.waits = head.waits.filter((it) => it.reservationid !== reservationid)
    }
  }
}

type Head = { waits: Wait[]; isAll: boolean }

/** Of a queue that is not loaded to its end, only places before the end of the head are known to be next. */
function add(head: Head, wait: Wait): void {
  const { waits, isAll } = head
  const at = waits.findIndex((it) => it.place > wait.place)
  if (at >= 0) waits.splice(at, 0, wait)
  else if (isAll) waits.push(wait)
}
