/** The facts that checks see, and the type of a check. */
import type { Availability, Period } from '../availability.ts'
import type { Evidence } from '../evidence.ts'
import type { Harm } from '../harm.ts'
import type { Call } from '../history.ts'
import type { Delivery } from '../inbox.ts'
import type { OwnerSeen } from '../observer.ts'
import type { Replay } from '../replay/scene.ts'
import type { Resources } from '../resources.ts'
import type { Needs } from '../scenarios/scenario.ts'
import type { Burst, PlacedPoison, Replacement } from '../stage.ts'

export type Facts = {
  evidence: Evidence
  replay: Replay
  /** Active reservations per customer. 0: no limit. */
  activeMax: number
  calls: Call[]
  deliveries: Delivery[]
  /** Notices whose answer did not reach the notifier, as it reported. */
  unheard: Set<string>
  /** Lines that the notifier's consoles dropped, as they reported. */
  linesDropped: number
  /** When services or stores were hurt so that outcomes are in doubt. */
  harms: Harm[]
  poison: PlacedPoison[]
  owners: OwnerSeen[]
  /** Events published before their commit. */
  early: string[]
  /** Work that remained when waiting ended. */
  unfinished: string[]
  /** Calls without a response, even when repeated after healing. */
  unanswered: Call[]
  needs: Needs
  /** The time of the fault. */
  fault: Period
  availability: Availability
  resources: { before: Resources; after: Resources }
  burst: Burst | undefined
  replacement: Replacement | undefined
  /** Unexpected exits of processes. */
  faults: string[]
}

export type Check = {
  /** The claim that must hold. */
  name: string
  /** @returns the places where it does not hold. */
  violations(facts: Facts): string[]
}

/** Groups of items with the same key. */
export function repeated<Item>(items: Iterable<Item>, keyOf: (item: Item) => string): Item[][] {
  return [...Map.groupBy(items, keyOf).values()].filter((group) => group.length > 1)
}

/** The differences between two views of the same things, by name. */
export function differences<Value>(wanted: Map<string, Value>, found: Map<string, Value>): string[] {
  const names = new Set([...wanted.keys(), ...found.keys()])
  return [...names].flatMap((name) => {
    const [a, b] = [wanted.get(name), found.get(name)].map((it) => JSON.stringify(it))
    return a === b ? [] : [`${name}: must be ${a}, is ${b}`]
  })
}
