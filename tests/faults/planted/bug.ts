/** A plausible bug, as a change to the code, and the checks that must catch it. */
export type Edit = {
  /** Path from the root of the tree. */
  file: string
  /** Must be found exactly once. */
  find: string
  replace: string
}

export type Bug = {
  name: string
  edits: Edit[]
  /** The scenario that exposes it. */
  scenario: string
  /** At least one of these checks must fail. */
  caughtBy: string[]
}
