/** Files and cgroups of clusters that could not delete them: their process was killed. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cache } from './cache.ts'
import { cgroupOf, isRunning, removeCgroups } from './node.ts'

const prefix = 'run-'
const owner = 'owner'

/** @returns a folder for a cluster of this process. */
export async function newFolder(): Promise<string> {
  await mkdir(cache, { recursive: true })
  const dir = await mkdtemp(join(cache, prefix))
  await writeFile(join(dir, owner), String(process.pid))
  return dir
}

export async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(cache).catch(() => [])) {
    if (!name.startsWith(prefix)) continue
    const dir = join(cache, name)
    const pid = Number(await readFile(join(dir, owner), 'utf8').catch(() => 0))
    if (pid && isRunning(pid)) continue
    for (const node of ['n1', 'n2']) await removeCgroups(cgroupOf(dir, node))
    await rm(dir, { recursive: true, force: true })
  }
}
