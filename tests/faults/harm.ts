/** An event that leaves the outcome of work just before it in doubt. */
export type Harm = { what: 'notifier'; from: number; to: number }
