/** Small disks for tests of a full disk. They need the right to mount. */
import { execFile } from 'node:child_process'
import { mkdtemp, open, rm, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const sizeMb = 256
const chunk = Buffer.alloc(64 * 1024)

/** @returns why small disks are impossible here; undefined if they are possible. */
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

/** Fills the disk to the last byte. @returns a function that frees it. */
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
