/**
 * Exclusive use of the data folder: one start at a time, on whatever machine the others run.
 *
 * O1. A start holds the kernel's lock on `start.lock` (`flock.mjs`). The kernel releases it when the process has ended, however
 *     it ended, so a killed start blocks others only until its exit is complete. A halted start keeps the lock.
 * O2. Another kernel, of a host or a virtual machine that shares the folder, may not see that lock. So the owner writes its
 *     random id to `start.lock`, and a counter to `start.beat` every second. A start that finds the id of an owner on another
 *     kernel watches the counter for longer than the servers of a dead owner can survive. If the counter changes, the folder is
 *     in use. No clocks are compared, only changes of the counter are observed.
 * O3. Only the owner writes `start.lock`, once, when it has taken the folder. An owner that wakes up late (a suspended
 *     machine) and finds another id, or no file, has lost the folder. It kills its servers instead of stopping them, because a
 *     stopping server writes.
 * O4. An owner that stops normally empties `start.lock` after its servers have ended.
 *
 * Up to a second may pass between waking up and the next check of `start.lock`. Two kernels that share the folder but no locks
 * may both take it at the same moment, so on a file system that may not be local, a start checks again before it continues.
 */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chmodSync, closeSync, ftruncateSync, mkdirSync, statSync, writeSync } from 'node:fs'
import { readFile, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { lockSoon } from '../processes/flock.mjs'

type DataFolder = { path: string; [Symbol.asyncDispose](): Promise<void> }

export type DataFolderOptions = {
  say: (line: string) => void
  /** Called once, when another start has taken the folder or it was removed. */
  onLost: (reason: string) => void
  /** Ends the watch for an owner of another kernel. */
  signal?: AbortSignal
  /** How long the counter must not change. */
  silenceMs?: number
  beatMs?: number
}

type Owner = { id: string; kernel: string; host: string; pid: number }

/** The servers of a killed start stop within 10 s or are killed (`leash.ts`). Twice as long is safe. */
const silenceMsDefault = 20_000
const beatMsDefault = 1_000
/** Longer than it takes to write a line. */
const tornMs = 100

/** On Linux: ext4, xfs, btrfs, tmpfs, overlay, zfs, f2fs. Two kernels cannot use one of these at the same time. */
const localFileSystems = [0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0x2fc12fc1, 0xf2f52010]

/** @throws {Error} when the folder cannot be written to, or another start has it. */
export async function takeDataFolder(path: string, options: DataFolderOptions): Promise<DataFolder> {
  const { say, signal, silenceMs = silenceMsDefault, beatMs = beatMsDefault } = options
  const files = { lock: join(path, 'start.lock'), beat: join(path, 'start.beat') }
  const fd = await lock(path, files.lock)
  try {
    const me = { id: randomUUID(), kernel: await kernelOf(files.lock), host: hostname(), pid: process.pid }
    const last = await ownerIn(files.lock)
    if (last && last.kernel !== me.kernel) {
      say(
        `${path} was not closed by ${nameOf(last)}: watching for ${silenceMs / 1000} s whether it still runs.`,
      )
      if (await changes(files.beat, silenceMs, beatMs, signal)) throw new Taken(path, last)
    }
    // Write, then truncate, so that no reader finds the file empty.
    ftruncateSync(fd, writeSync(fd, `${JSON.stringify(me)}\n`, 0))
    if (!(await isLocal(path))) {
      await sleep(2 * beatMs, undefined, { signal })
      const now = await ownerIn(files.lock)
      if (now?.id !== me.id) throw new Taken(path, now)
    }
    const heart = beat(me, files, beatMs, options)
    return {
      path,
      async [Symbol.asyncDispose]() {
        if (await heart.stop()) {
          ftruncateSync(fd)
          await rm(files.beat, { force: true })
        }
        closeSync(fd)
      },
    }
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

async function lock(path: string, file: string): Promise<number> {
  let fd: number | undefined
  try {
    makeFolder(path)
    fd = await lockSoon(file)
  } catch (error) {
    const { syscall, message } = error as NodeJS.ErrnoException
    throw syscall ? new Error(`cannot write to ${path}: ${message}`) : error
  }
  if (fd === undefined) throw new Taken(path, await ownerIn(file))
  return fd
}

/** Folder by folder: Node's recursive `mkdir` loops forever where none can be made, as in `/proc`. */
function makeFolder(path: string): void {
  try {
    makeOne(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && statSync(path).isDirectory()) return
    if (code !== 'ENOENT') throw error
    makeFolder(dirname(path))
    makeOne(path)
  }
}

/** Other users cannot list root's folder, but Postgres, which does not run as root, can reach its data in it. */
function makeOne(path: string): void {
  mkdirSync(path)
  // Explicitly, because the umask restricts the mode of `mkdir`.
  chmodSync(path, process.getuid?.() === 0 ? 0o711 : 0o700)
}

/** Increments the counter until it is stopped. */
function beat(me: Owner, files: { lock: string; beat: string }, beatMs: number, options: DataFolderOptions) {
  const stopping = new AbortController()
  const { signal } = stopping
  let lost = false
  const look = async (count: number) => {
    let owner = await ownerIn(files.lock)
    // Another start may be in the middle of writing.
    if (!owner) owner = await sleep(tornMs).then(() => ownerIn(files.lock))
    lost = owner?.id !== me.id
    if (!lost) return writeFile(files.beat, `${me.id} ${count}\n`, { mode: 0o600 })
    options.onLost(owner ? `it was taken by ${nameOf(owner)}` : 'its start.lock was removed or emptied')
  }
  const keep = async () => {
    let failed = false
    for (let count = 1; !signal.aborted && !lost; count++) {
      await look(count).catch((error: Error) => {
        if (!failed) options.say(`Cannot mark the data folder as in use: ${error.message}`)
        failed = true
      })
      await sleep(beatMs, undefined, { signal }).catch(() => {})
    }
  }
  const kept = keep()
  return {
    /** @returns whether this start owned the folder to the end. */
    async stop() {
      stopping.abort()
      await kept
      return !lost && (await ownerIn(files.lock).catch(() => undefined))?.id === me.id
    },
  }
}

/** Whether a file changes while it is watched. */
async function changes(file: string, forMs: number, beatMs: number, signal?: AbortSignal): Promise<boolean> {
  const read = () => readFile(file, 'utf8').catch(() => '')
  const before = await read()
  const since = performance.now()
  while (performance.now() - since < forMs) {
    await sleep(beatMs / 2, undefined, { signal })
    if ((await read()) !== before) return true
  }
  return false
}

/** Undefined without an owner: the last one stopped normally, or the file is gone. */
async function ownerIn(file: string): Promise<Owner | undefined> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  try {
    return JSON.parse(text) as Owner
  } catch {
    return undefined
  }
}

/**
 * Equal for two starts only if both see the same kernel's locks on the file: the same boot of the same machine, and the same
 * mount of the same file.
 */
async function kernelOf(file: string): Promise<string> {
  const { dev, ino } = await stat(file)
  const boot =
    process.platform === 'darwin'
      ? promisify(execFile)('sysctl', ['-n', 'kern.bootsessionuuid']).then(({ stdout }) => stdout)
      : readFile('/proc/sys/kernel/random/boot_id', 'utf8')
  return `${(await boot.catch(randomUUID)).trim()} ${dev}:${ino}`
}

const isLocal = async (path: string) =>
  process.platform === 'darwin' || localFileSystems.includes((await statfs(path)).type >>> 0)

const nameOf = ({ host, pid }: Owner) => `another npm start, process ${pid} on ${host}`

class Taken extends Error {
  constructor(path: string, owner?: Owner) {
    const name = owner ? nameOf(owner) : 'another npm start'
    super(`${path} is in use by ${name}; set DATA_DIR to run a second one`)
  }
}
