/** The programs and images of the cluster are kept outside of the repository, so that clones share them. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'

export const cache = join(
  process.env.XDG_CACHE_HOME || join(homedir(), '.cache'),
  'bookreservation',
  'cluster',
)

/** The folder with the sources of what is cached. */
export const sources = import.meta.dirname

/**
 * Makes something once for each content of its sources.
 * @param from files and folders, relative to `sources`.
 * @returns the path of what `make` has put at the path that it was given.
 */
export async function cached(
  name: string,
  from: string[],
  make: (path: string) => Promise<void>,
): Promise<string> {
  const hash = createHash('sha256')
  for (const it of from) await hashInto(hash, it)
  const path = join(cache, `${name}-${hash.digest('hex').slice(0, 12)}`)
  if (existsSync(path)) return path
  await mkdir(cache, { recursive: true })
  // Another process may make the same.
  const unfinished = `${path}.${process.pid}`
  await make(unfinished)
  await rename(unfinished, path).catch(async (error) => {
    await rm(unfinished, { recursive: true, force: true })
    if (!existsSync(path)) throw error
  })
  // Those of earlier sources take gigabytes.
  for (const other of await readdir(cache))
    if (other.startsWith(`${name}-`) && join(cache, other) !== path && !isInTheMaking(other))
      await rm(join(cache, other), { recursive: true })
  return path
}

function isInTheMaking(name: string): boolean {
  const [, pid] = /\.(\d+)$/.exec(name) ?? []
  return pid !== undefined && existsSync(join('/proc', pid))
}

async function hashInto(hash: ReturnType<typeof createHash>, path: string): Promise<void> {
  const entries = await readdir(join(sources, path), { withFileTypes: true }).catch(() => undefined)
  if (!entries) {
    hash.update(`${path}\0`).update(await readFile(join(sources, path)))
    return
  }
  for (const { name } of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1)))
    await hashInto(hash, join(path, name))
}
