/** Folders for the data of stores that tests start. */
import { chmod, mkdtemp, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const memory = '/dev/shm'
const memoryMinBytes = 6 * 1024 ** 3

/**
 * A new folder, in memory if there is plenty. A database of Postgres has hundreds of files, and most tests create and drop one. On
 * ext4 creating them takes longer and longer: it looks for an inode that was not deleted within the last minutes.
 */
export async function storeFolder(name: string): Promise<string> {
  const free = await statfs(memory).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => 0,
  )
  const dir = await mkdtemp(join(free < memoryMinBytes ? tmpdir() : memory, `bookreservation-${name}-`))
  // When root runs the tests, Postgres runs as another user, who must be able to enter.
  await chmod(dir, 0o711)
  return dir
}
