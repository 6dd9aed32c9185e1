/** For what is tested without a worker: of an installation that was never restored from a backup. */
export const neverRestored = { isCurrent: true, stamp: undefined, untilCurrent: async () => {} }
