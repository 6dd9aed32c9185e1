/**
 * Postgres' own lock file, `postmaster.pid`, after an end without a shutdown. Postgres takes the file for stale when no
 * process of its user has the pid in it. After a reboot, or in a restarted container, another process may have that
 * pid, and Postgres refuses to start; so it does when a power cut emptied the file.
 *
 * All of this is called while the folder's lock is held (`server-folder.ts`). Even so the file is not removed: Postgres
 * is given what it needs to see for itself that the file is stale, and its check of shared memory stays.
 */
import { constants } from 'node:fs'
import { lstat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { commandLine, pidIn, worksIn } from './orphan.ts'

/** For the environment of the Postgres that is started. */
export async function stalePidSettings(cluster: string): Promise<{ PG_GRANDPARENT_PID?: string }> {
  const file = join(cluster, 'postmaster.pid')
  const pid = await pidIn(file)
  if (pid === undefined) {
    await nameUs(file)
    return {}
  }
  // A Postgres never starts a competing one: the pid of an ancestor is stale to it, and this is how pg_ctl names one.
  return (await isAnother(pid, cluster)) ? { PG_GRANDPARENT_PID: String(pid) } : {}
}

/** Whether the pid certainly belongs to a process that is no Postgres of this folder. */
async function isAnother(pid: number, cluster: string): Promise<boolean> {
  const command = await commandLine(pid)
  if (command === '') return false
  return !/postgres|postmaster/.test(command) || (await worksIn(pid, cluster)) === false
}

/**
 * A file without a pid names no process, and a Postgres that ran on the folder would have stopped because of it within a
 * minute. Ours is the pid of the parent of the Postgres that is started, which it takes for stale.
 */
async function nameUs(file: string): Promise<void> {
  const there = await lstat(file).catch(() => undefined)
  // The folder belongs to another user than root: no link of theirs is followed.
  const flag = constants.O_WRONLY | constants.O_TRUNC | constants.O_NOFOLLOW
  if (there) await writeFile(file, `${process.pid}\n`, { flag })
}
