/** @returns a descriptor, which holds the lock until it is closed; undefined when another process has the lock. */
export function tryLock(path: string): Promise<number | undefined>
