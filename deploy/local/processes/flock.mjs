/**
 * The kernel's lock on a file. It does not depend on pids, so it works across PID and IPC namespaces, across containers that
 * share a volume and, if a network volume supports locks, across hosts. Every child that inherits the descriptor holds the
 * lock too: it is released when the last of them has ended, however they ended.
 *
 * The file is never removed: another process may hold its lock, and the next one would lock a different file.
 */
import { spawn } from 'node:child_process'
import { closeSync, constants, fstatSync, openSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** A killed process holds its locks until its last thread has ended, which a busy disk can delay. */
const lingersMaxMs = 2_000
const pollMs = 100

/**
 * Waits a moment for a process that is about to end.
 *
 * @param {string} path created if missing.
 * @returns {Promise<number | undefined>} like `tryLock`.
 */
export async function lockSoon(path) {
  const since = performance.now()
  for (;;) {
    const fd = await tryLock(path)
    if (fd !== undefined || performance.now() - since > lingersMaxMs) return fd
    await sleep(pollMs)
  }
}

/** Only on macOS, where one call opens and locks a file. */
const exclusive = process.platform === 'darwin' ? 0x20 | constants.O_NONBLOCK : 0

/**
 * Never waits.
 *
 * @param {string} path created if missing.
 * @returns {Promise<number | undefined>} a descriptor, which holds the lock until it is closed; undefined when another process has the lock.
 */
export async function tryLock(path) {
  const fd = openUnlessTaken(path)
  if (fd === undefined) return undefined
  try {
    if ((exclusive || (await locked(fd, path))) && isStillThere(fd, path)) return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
  closeSync(fd)
  return undefined
}

function openUnlessTaken(path) {
  try {
    return openSync(path, constants.O_RDWR | constants.O_CREAT | exclusive, 0o600)
  } catch (error) {
    if (exclusive && error.code === 'EAGAIN') return undefined
    throw error
  }
}

/** Node cannot lock files. flock(1) of util-linux or busybox locks the descriptor that it inherits, which we share. */
async function locked(fd, path) {
  const env = { PATH: `${process.env.PATH ?? ''}:/usr/bin:/bin` }
  const child = spawn('flock', ['-n', '3'], { env, stdio: ['ignore', 'ignore', 'pipe', fd] })
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text) => {
    complaint += text
  })
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject).once('close', resolve)
  }).catch((error) => {
    throw new Error(`Cannot lock ${path}: cannot run flock (package util-linux): ${error.message}`)
  })
  if (code === 0) return true
  if (code === 1 && !complaint) return false
  throw new Error(`Cannot lock ${path}: ${complaint.trim() || `flock ended with code ${code}`}`)
}

/** Another process may have replaced the folder between opening and locking. */
function isStillThere(fd, path) {
  const ours = fstatSync(fd)
  const there = statSync(path, { throwIfNoEntry: false })
  return there?.ino === ours.ino && there.dev === ours.dev
}
