/** Servers that outlived their starter: found by their pid file, recognized by their command line and folder. */
import { execFile } from 'node:child_process'
import { readFile, stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const graceMs = 15_000

export type OrphanOptions = {
  pidFile: string
  /** A part of the command line that only our servers on this folder have. */
  mark: string
  /** The working folder of the server. */
  folder: string
  /** Asks it to stop; `SIGKILL` follows. */
  signal: NodeJS.Signals
}

/**
 * Stops the server that the pid file names. If the pid now belongs to another process (after a reboot, or in a restarted
 * container), both are left alone: the file may belong to a server in another PID namespace.
 *
 * @returns whether there was one.
 */
export async function stopOrphan({ pidFile, mark, folder, signal }: OrphanOptions): Promise<boolean> {
  const pid = await pidIn(pidFile)
  if (pid === undefined) return false
  const ours = async () => (await commandLine(pid)).includes(mark) && (await worksIn(pid, folder)) !== false
  if (!(await ours())) return false
  send(pid, signal, folder)
  const deadline = performance.now() + graceMs
  while (await ours()) {
    if (performance.now() > deadline) send(pid, 'SIGKILL', folder)
    await sleep(20)
  }
  return true
}

function send(pid: number, signal: NodeJS.Signals, folder: string): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EPERM')
      throw new Error(`${folder} is in use by process ${pid} of another user: stop it first`)
    if (code !== 'ESRCH') throw error
  }
}

/** The pid on the first line, if any. A Postgres without postmaster writes a minus before it. */
export async function pidIn(file: string): Promise<number | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '')
  const pid = Number(/^-?(\d{1,10})\s*(\n|$)/.exec(text)?.[1] ?? 0)
  return pid > 0 ? pid : undefined
}

/** Empty if there is no such process, or if it is a zombie. */
export async function commandLine(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ')
  }
  const ps = await promisify(execFile)('ps', ['-ww', '-o', 'args=', '-p', String(pid)]).catch(() => null)
  return ps?.stdout ?? ''
}

/** Whether the folder is the working directory of the process. Undefined if that is unknown. */
export async function worksIn(pid: number, folder: string): Promise<boolean | undefined> {
  try {
    const [theirs, ours] = await Promise.all([stat(`/proc/${pid}/cwd`), stat(folder)])
    return theirs.ino === ours.ino && theirs.dev === ours.dev
  } catch {
    return undefined
  }
}
