/** @returns a descriptor, which holds the lock until it is closed; undefined when another process has the lock. */
export function tryLock(path: string): Promise<number | undefined>

/** Waits up to 2 s for a process that is about to end. @returns like `tryLock`. */
export function lockSoon(path: string): Promise<number | undefined>
