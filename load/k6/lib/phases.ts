/** Parts of a script's time, whose figures are distinguished by the tag `phase`. */
import exec from 'k6/execution'

/** The second at which each phase ends, in order. With `SECONDS`, they shrink with the run. */
type Phases<Name extends string> = Record<Name, number>

/** Tags all following measurements of the customer. */
export function enterPhase<Name extends string>(phases: Phases<Name>): Name {
  const phase = phaseAt(phases, exec.scenario.progress)
  exec.vu.metrics.tags.phase = phase
  return phase
}

/** @param progress of the scenario, 0 to 1. */
export function phaseAt<Name extends string>(phases: Phases<Name>, progress: number): Name {
  const names = Object.keys(phases) as Name[]
  const last = names.at(-1)!
  return names.find((name) => progress < phases[name] / phases[last]) ?? last
}
