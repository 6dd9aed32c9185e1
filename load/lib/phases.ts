/** Parts of a script's time, whose figures are told apart by the tag `phase`. */
import exec from 'k6/execution'

/** In order, up to which second each lasts; all of them shrink with the run when it is squeezed. */
export type Phases<Name extends string> = Record<Name, number>

/** Tags what the customer measures from here on. */
export function enterPhase<Name extends string>(phases: Phases<Name>): Name {
  const phase = phaseAt(phases, exec.scenario.progress)
  exec.vu.metrics.tags.phase = phase
  return phase
}

/** @param progress of the scenario, from 0 to 1. */
export function phaseAt<Name extends string>(phases: Phases<Name>, progress: number): Name {
  const names = Object.keys(phases) as Name[]
  const last = names.at(-1)!
  return names.find((name) => progress < phases[name] / phases[last]) ?? last
}
