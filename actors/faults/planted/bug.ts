/** A bug that somebody might write, as a change to the code, and what must catch it. */
export type Edit = {
  /** From the root of the tree. */
  file: string
  /** Must be found exactly once. */
  find: string
  replace: string
}

export type Bug = {
  name: string
  edits: Edit[]
  /** The fault that brings it to light, and with what chance begins. */
  scenario: string
  seed: number
  /** The checks of which at least one must fail. */
  caughtBy: string[]
}
