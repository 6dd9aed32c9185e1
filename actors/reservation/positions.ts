/** The positions of reservations that are followed: read once a minute, for all streams of the process and a book at once. */
import { Rounds } from '../../platform/rounds.ts'
import type { Position, Reservation } from './reservation.ts'

const intervalMs = 60_000

type Follower = {
  /** The reservation as it is by now. */
  current(): Reservation
  moved(position: Position): void
}

type PositionsOptions = {
  /** @returns positions by place, of those that still wait. */
  read(bookid: string, places: number[]): Promise<Map<number, Position>>
  everyMs?: number
}

export class Positions extends Rounds {
  readonly #read: PositionsOptions['read']
  readonly #everyMs: number
  readonly #followers = new Set<Follower>()

  constructor({ read, everyMs = intervalMs }: PositionsOptions) {
    super({ name: 'positions' })
    this.#read = read
    this.#everyMs = everyMs
  }

  /** Calls `moved` every minute while the reservation waits. @returns a function that ends this. */
  follow(follower: Follower): () => void {
    this.#followers.add(follower)
    return () => this.#followers.delete(follower)
  }

  protected async round(): Promise<number> {
    const waiting = [...this.#followers].flatMap((follower) => {
      const { status, bookid, place } = follower.current()
      return status === 'Waiting' && place !== null ? [{ follower, bookid, place }] : []
    })
    for (const [bookid, its] of Map.groupBy(waiting, (it) => it.bookid)) {
      const places = [...new Set(its.map((it) => it.place))]
      const positions = await this.#read(bookid, places)
      for (const { follower, place } of its) {
        const position = positions.get(place)
        if (position) follower.moved(position)
      }
    }
    return this.#everyMs
  }

  protected failed(): number {
    return this.#everyMs
  }
}
