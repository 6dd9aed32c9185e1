/** @returns a descriptor, which holds the lock until it is closed; undefined when another process has the lock. */
export function tryLock(path: string): Promise<number | undefined>

/** Waits 2 s at most for a process that is about to end. @returns as of `tryLock`. */
export function lockSoon(path: string): Promise<number | undefined>
