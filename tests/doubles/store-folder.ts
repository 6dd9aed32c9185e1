/** Folders for the data of stores that tests start. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

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

/** Copies the data of a server that is stopped, with owners and modes, because Postgres checks them. */
export async function copyData(from: string, to: string): Promise<void> {
  await promisify(execFile)('cp', ['-a', from, to])
}

/** The variable with the data of an empty Postgres, which a test run sets for all its processes. */
export const emptyPostgres = 'BOOKRESERVATION_TEST_EMPTY_POSTGRES'

/** Copies the empty Postgres of the test run, if there is one, to a new folder. Otherwise Postgres makes its data at its start. */
export async function copyEmptyPostgres(dataDir: string): Promise<void> {
  const empty = process.env[emptyPostgres]
  if (empty && !existsSync(dataDir)) await copyData(empty, dataDir)
}
