/** Moves data that Redis cannot read out of the way, and keeps it. */
import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ChildError } from '../processes/child.ts'
import { lockNames } from './server-folder.ts'

export type Aside = { path: string; putBack(): Promise<void> }

const prefix = 'unreadable-'

/** Signals with which a person or the kernel's memory limit ends a process. */
const killed = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL']

/** Whether unreadable data may be why Redis did not start: it exited by itself, and not because of its port. */
export function isUnreadable(error: unknown): boolean {
  if (!(error instanceof ChildError) || !error.exit) return false
  const { signal } = error.exit
  return !killed.includes(signal ?? '') && !error.lines.some((line) => /address already in use/i.test(line))
}

/**
 * Moves all data of Redis into a folder named after the date. Undefined when there is none.
 *
 * @param others names of files to leave in place.
 */
export async function putAside(dataDir: string, others: string[]): Promise<Aside | undefined> {
  const names = await readdir(dataDir)
  const isData = (name: string) =>
    !lockNames.includes(name) && !others.includes(name) && !name.startsWith(prefix)
  const data = names.filter(isData)
  if (data.length === 0) return undefined
  const path = join(dataDir, prefix + new Date().toISOString().replaceAll(':', '-'))
  await mkdir(path, { mode: 0o700 })
  for (const name of data) await rename(join(dataDir, name), join(path, name))
  return {
    path,
    async putBack() {
      // The second attempt may have created some of it.
      for (const name of data) await rm(join(dataDir, name), { recursive: true, force: true })
      for (const name of data) await rename(join(path, name), join(dataDir, name))
      await rmdir(path)
    },
  }
}
