/**
 * The folder of one server, Postgres or Redis. Two locks (`flock.mjs`) say who uses it.
 *
 * - **F1** The server's lock is passed on to every process that works on the folder: the server, what it forks, what made
 *   its files. So while the lock can be had, no process of ours works on the folder, in whatever PID namespace or
 *   container it may have been started.
 * - **F2** The starter's lock is held by the process that started the server, until the server has ended. A server whose
 *   starter lives is left alone, and the start refused.
 * - **F3** A server whose starter is gone is stopped properly where it can be seen. One that cannot be seen is waited for,
 *   and then the start is refused. Nothing in the folder is changed before both locks are held.
 * - **F4** `postmaster.pid` belongs to Postgres. Only Postgres removes it (`stale-pid.ts`).
 */
import { closeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { lockSoon, tryLock } from './flock.mjs'
import { type OrphanOptions, stopOrphan } from './orphan.ts'

export type ServerFolder = {
  /** The server's lock, for each process that works on the folder to inherit. */
  lock: number
  /** Lets go of both locks, of the starter's only when the server, if there is one, has ended. */
  release(exited?: Promise<unknown>): void
}

const serverLock = 'server.lock'
const starterLock = 'starter.lock'
export const lockNames = [serverLock, starterLock]

/** What is left of a killed start stops its servers within 10 s, and then kills them. */
const folderWaitMs = 20_000
const pollMs = 200
const quietMs = 1_000

export type FolderOptions = {
  say: (line: string) => void
  /** For a server that cannot be seen, milliseconds. */
  waitMaxMs?: number
}

/** @throws {Error} when another start has the folder, or a server that cannot be seen. */
export async function takeServerFolder(
  server: string,
  path: string,
  orphan: OrphanOptions,
  { say, waitMaxMs = folderWaitMs }: FolderOptions,
): Promise<ServerFolder> {
  const starter = await lockSoon(join(path, starterLock))
  if (starter === undefined)
    throw new Error(`${path} is in use by a ${server} of another start: stop that first`)
  try {
    if (await stopOrphan(orphan)) say(`Stopped a ${server} that an earlier run left behind.`)
    const lock = await lockServer(server, path, { say, waitMaxMs })
    return {
      lock,
      release(exited) {
        closeSync(lock)
        if (exited) exited.finally(() => closeSync(starter))
        else closeSync(starter)
      },
    }
  } catch (error) {
    closeSync(starter)
    throw error
  }
}

async function lockServer(
  server: string,
  path: string,
  { say, waitMaxMs }: Required<FolderOptions>,
): Promise<number> {
  const since = performance.now()
  for (let announced = false; ; ) {
    const lock = await tryLock(join(path, serverLock))
    if (lock !== undefined) return lock
    const waitedMs = performance.now() - since
    if (waitedMs > waitMaxMs) {
      throw new Error(
        `${path} is in use by a ${server} that cannot be seen from here, as in another container: stop it there`,
      )
    }
    if (!announced && waitedMs > quietMs) {
      say(`Waiting for the end of a ${server} that still uses ${path}.`)
      announced = true
    }
    await sleep(pollMs)
  }
}
