/** Small disks, to be filled. They take the right to mount. */
import { execFile } from 'node:child_process'
import { mkdtemp, open, rm, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const sizeMb = 256
const chunk = Buffer.alloc(64 * 1024)

/** @returns why there can be none here; undefined if there can. */
export async function noSmallDisk(): Promise<string | undefined> {
  const dir = await mkdtemp(join(tmpdir(), 'bookreservation-disk-'))
  try {
    await mountSmallDisk(dir)
    await unmount(dir)
    return undefined
  } catch (error) {
    return (error as Error).message.trim().split('\n').at(-1)
  } finally {
    await rmdir(dir).catch(() => {})
  }
}

export async function mountSmallDisk(dir: string): Promise<void> {
  await run('mount', ['-t', 'tmpfs', '-o', `size=${sizeMb}m,mode=0711`, 'tmpfs', dir])
}

export async function unmount(dir: string): Promise<void> {
  await run('umount', ['-l', dir])
}

/** Leaves no byte. @returns what makes room again. */
export async function fill(dir: string): Promise<() => Promise<void>> {
  const path = join(dir, 'ballast')
  const file = await open(path, 'w')
  try {
    for (let size = chunk.length; size >= 1; ) {
      try {
        await file.appendFile(chunk.subarray(0, size))
      } catch {
        size = Math.floor(size / 16)
      }
    }
  } finally {
    await file.close().catch(() => {})
  }
  return () => rm(path, { force: true })
}
