/**
 * The folder of one server, Postgres or Redis. Two locks (`flock.mjs`) protect it.
 *
 * F1. Every process that works on the folder inherits the server's lock: the server, its forks, and the programs that
 *     created its files. So if the lock is free, no process that npm start has started works on the folder, in any PID namespace
 *     or container.
 * F2. The process that started the server holds the starter's lock until the server has ended. While the starter lives,
 *     its server is left alone and another start is refused.
 * F3. A server whose starter is gone is stopped properly if it is visible. If it is not, the start waits for it, and then
 *     is refused. Nothing in the folder is changed before both locks are held.
 * F4. `postmaster.pid` belongs to Postgres. Only Postgres removes it (`stale-pid.ts`).
 */
import { closeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { lockSoon, tryLock } from '../processes/flock.mjs'
import { type OrphanOptions, stopOrphan } from '../processes/orphan.ts'

type ServerFolder = {
  /** The server's lock, which every process that works on the folder must inherit. */
  lock: number
  /** Releases both locks; the starter's only after the server, if there is one, has ended. */
  release(exited?: Promise<unknown>): void
}

const serverLock = 'server.lock'
const starterLock = 'starter.lock'
export const lockNames = [serverLock, starterLock]

/** After a killed start, its servers are stopped within 10 s, and then killed (`leash.ts`). */
const folderWaitMs = 20_000
const pollMs = 200
const quietMs = 1_000

type FolderOptions = {
  say: (line: string) => void
  /** How long to wait for an invisible server, in milliseconds. */
  waitMaxMs?: number
}

/** @throws {Error} when another start or an invisible server uses the folder. */
export async function takeServerFolder(
  server: string,
  path: string,
  orphan: OrphanOptions,
  { say, waitMaxMs = folderWaitMs }: FolderOptions,
): Promise<ServerFolder> {
  const starter = await lockSoon(join(path, starterLock))
  if (starter === undefined)
    throw new Error(`${path} is in use by the ${server} of another start: stop that first`)
  try {
    if (await stopOrphan(orphan)) say(`Stopped a ${server} that an earlier start left behind.`)
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
        `${path} is in use by a ${server} that is not visible here, perhaps in another container: stop it there`,
      )
    }
    if (!announced && waitedMs > quietMs) {
      say(`Waiting for a ${server} that still uses ${path}.`)
      announced = true
    }
    await sleep(pollMs)
  }
}
