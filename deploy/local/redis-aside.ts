/** Data that Redis cannot read, kept beside what it begins anew. */
import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ChildError } from './child.ts'
import { lockNames } from './server-folder.ts'

export type Aside = { path: string; putBack(): Promise<void> }

const prefix = 'unreadable-'

/** How a process ends that was told to, by a person or for want of memory. */
const killed = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL']

/** Whether a Redis that did not start may have failed by its data: it ended by itself, and not for its port. */
export function isUnreadable(error: unknown): boolean {
  if (!(error instanceof ChildError) || !error.exit) return false
  const { signal } = error.exit
  return !killed.includes(signal ?? '') && !error.lines.some((line) => /address already in use/i.test(line))
}

/**
 * Moves all of Redis' data into a folder named with the date. Undefined when there is none.
 *
 * @param others names of files that are not its data.
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
      // A Redis that did not start either may have begun some of it.
      for (const name of data) await rm(join(dataDir, name), { recursive: true, force: true })
      for (const name of data) await rename(join(path, name), join(dataDir, name))
      await rmdir(path)
    },
  }
}
