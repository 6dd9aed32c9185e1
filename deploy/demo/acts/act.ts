import type { People } from '../people.ts'
import type { Stage } from '../stage.ts'
import type { DemoSystem } from '../system.ts'

export type Scene = {
  stage: Stage
  system: DemoSystem
  people: People
  /** Time between two customers who do not come in a rush, in milliseconds. */
  betweenMs: number
  signal: AbortSignal
}

export type Act = {
  title: string
  /** @throws {BrokenPromise} when a promise does not hold. */
  play(scene: Scene): Promise<void>
}
