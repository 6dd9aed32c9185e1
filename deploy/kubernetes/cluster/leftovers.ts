/** Files and cgroups of clusters that could not delete them: their process was killed. */
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cache } from './cache.ts'
import { cgroupOf, foldersOf, isRunning, removeCgroups } from './node.ts'

const prefix = 'run-'
const owner = 'owner'

/** @returns a folder for a cluster of this process. */
export async function newFolder(): Promise<string> {
  await mkdir(cache, { recursive: true })
  const dir = await mkdtemp(join(cache, prefix))
  await writeFile(join(dir, owner), String(process.pid))
  return dir
}

/** @param dir of a cluster that has ended. @returns what it has left: files, cgroups, and processes that name the folder. */
export async function remainsOf(dir: string): Promise<string[]> {
  const cgroups = ['n1', 'n2'].flatMap((node) => foldersOf(cgroupOf(dir, node)))
  const left = [dir, ...cgroups].filter((path) => existsSync(path))
  for (const pid of (await readdir('/proc').catch(() => [])).filter((it) => /^\d+$/.test(it))) {
    const command = await readFile(join('/proc', pid, 'cmdline'), 'utf8').catch(() => '')
    if (command.includes(dir)) left.push(command.replaceAll('\0', ' ').trim())
  }
  return left
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
