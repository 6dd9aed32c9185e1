/** For tests without a worker: the incarnation of an installation that was never restored from a backup. */
export const neverRestored = { isCurrent: true, stamp: undefined, untilCurrent: async () => {} }
