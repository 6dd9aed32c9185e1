/** The findings of a replay, and its scene: one event, and the book before it. */
import type { Life } from './lives.ts'
import type { Shelf } from './shelf.ts'

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
  /** Events of books without rules that are not as they always were. */
  unfamiliar: string[]
  /** Books with an available copy while a reservation waits, after the last event. */
  idle: string[]
}

export type Scene = { it: Replay; where: string; time: Date | undefined; shelf: Shelf }
