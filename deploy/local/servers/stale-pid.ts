/**
 * The lock file of Postgres, `postmaster.pid`, after an end without a shutdown. Postgres considers the file stale if no process
 * of its user has that pid. After a reboot, or in a restarted container, another process may have it, and Postgres refuses to
 * start; it also refuses if a power cut emptied the file.
 *
 * Callers hold the lock of the folder (`server-folder.ts`). Even so, the file is not removed: Postgres gets what it needs to
 * find out by itself that the file is stale, and still makes its check of shared memory.
 */
import { constants } from 'node:fs'
import { lstat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { commandLine, pidIn, worksIn } from '../processes/orphan.ts'

/** For the environment of the Postgres to start. */
export async function stalePidSettings(cluster: string): Promise<{ PG_GRANDPARENT_PID?: string }> {
  const file = join(cluster, 'postmaster.pid')
  const pid = await pidIn(file)
  if (pid === undefined) {
    await writeOwnPid(file)
    return {}
  }
  // Postgres ignores the pid of an ancestor, because an ancestor cannot be a competing server. pg_ctl passes it this way.
  return (await isAnother(pid, cluster)) ? { PG_GRANDPARENT_PID: String(pid) } : {}
}

/** Whether the pid certainly belongs to a process other than a Postgres of this folder. */
async function isAnother(pid: number, cluster: string): Promise<boolean> {
  const command = await commandLine(pid)
  if (command === '') return false
  return !/postgres|postmaster/.test(command) || (await worksIn(pid, cluster)) === false
}

/**
 * Writes our pid to a file without one. A Postgres that ran on the folder would have stopped within a minute because of such a
 * file, and it ignores the pid of its parent, which we are.
 */
async function writeOwnPid(file: string): Promise<void> {
  const there = await lstat(file).catch(() => undefined)
  // The folder may belong to another user, so do not follow links.
  const flag = constants.O_WRONLY | constants.O_TRUNC | constants.O_NOFOLLOW
  if (there) await writeFile(file, `${process.pid}\n`, { flag })
}
