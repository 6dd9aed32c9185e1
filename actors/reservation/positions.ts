/** The positions of reservations that are followed: read once a minute, for all streams of the process and a book at once. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Pulse } from '../../streams/pulse.ts'
import type { Position, Reservation } from './reservation.ts'

const intervalMs = 60_000

export type Follower = {
  /** The reservation as it is by now. */
  current(): Reservation
  moved(position: Position): void
}

export type PositionsOptions = {
  /** @returns positions by place, of those that still wait. */
  read(bookid: string, places: number[]): Promise<Map<number, Position>>
  everyMs?: number
}

export class Positions {
  readonly pulse = new Pulse('positions')
  readonly #options: PositionsOptions
  readonly #followers = new Set<Follower>()

  constructor(options: PositionsOptions) {
    this.#options = options
  }

  /** Calls `moved` every minute while the reservation waits. @returns a function that ends this. */
  follow(follower: Follower): () => void {
    this.#followers.add(follower)
    return () => this.#followers.delete(follower)
  }

  /** Runs until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { everyMs = intervalMs } = this.#options
    this.pulse.beat(everyMs)
    while (!signal.aborted) {
      await sleep(everyMs, undefined, { signal }).catch(() => {})
      if (signal.aborted) return
      try {
        await this.#read()
        this.pulse.beat(everyMs)
      } catch (error) {
        this.pulse.fail(error, everyMs)
      }
    }
  }

  async #read(): Promise<void> {
    const waiting = [...this.#followers].flatMap((follower) => {
      const { status, bookid, place } = follower.current()
      return status === 'Waiting' && place !== null ? [{ follower, bookid, place }] : []
    })
    for (const [bookid, its] of Map.groupBy(waiting, (it) => it.bookid)) {
      const places = [...new Set(its.map((it) => it.place))]
      const positions = await this.#options.read(bookid, places)
      for (const { follower, place } of its) {
        const position = positions.get(place)
        if (position) follower.moved(position)
      }
    }
  }
}
