/** What a check is given, and what it is. */
import type { Availability, Period } from '../availability.ts'
import type { Evidence } from '../evidence.ts'
import type { Call } from '../history.ts'
import type { Telling } from '../inbox.ts'
import type { OwnerSeen } from '../observer.ts'
import type { Replay } from '../replay.ts'
import type { Resources } from '../resources.ts'
import type { Needs } from '../scenarios/scenario.ts'
import type { Burst, Harm, PlacedPoison, Replacement } from '../stage.ts'

export type Facts = {
  evidence: Evidence
  replay: Replay
  calls: Call[]
  tellings: Telling[]
  /** When services or stores were hurt in a way that leaves outcomes in doubt. */
  harms: Harm[]
  poison: PlacedPoison[]
  owners: OwnerSeen[]
  /** Events published before their commit. */
  early: string[]
  /** What was still to be done when waiting ended. */
  unfinished: string[]
  /** Calls that were not answered, however often they were repeated after healing. */
  unanswered: Call[]
  needs: Needs
  /** When it was hurt. */
  fault: Period
  availability: Availability
  resources: { before: Resources; after: Resources }
  burst: Burst | undefined
  replacement: Replacement | undefined
  /** Ends of processes that nobody had asked for. */
  faults: string[]
}

export type Check = {
  /** Says what holds. */
  name: string
  /** @returns where it does not hold. */
  violations(facts: Facts): string[]
}

/** Items that stand for the same thing more than once. */
export function repeated<Item>(items: Iterable<Item>, keyOf: (item: Item) => string): Item[][] {
  return [...Map.groupBy(items, keyOf).values()].filter((group) => group.length > 1)
}

/** What differs between two pictures of the same things, by name. */
export function differences<Value>(wanted: Map<string, Value>, found: Map<string, Value>): string[] {
  const names = new Set([...wanted.keys(), ...found.keys()])
  return [...names].flatMap((name) => {
    const [a, b] = [wanted.get(name), found.get(name)].map((it) => JSON.stringify(it))
    return a === b ? [] : [`${name}: must be ${a}, is ${b}`]
  })
}
