/** Servers that outlived their starter: found through their pid file, known by their command line. */
import { execFile } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const graceMs = 15_000

/**
 * Stops the server that the pid file names and removes the file. A pid that now belongs to another process
 * (after a reboot, or in a restarted container) is left alone: only a command line that holds `mark` is ours.
 */
export async function stopOrphan(pidFile: string, mark: string, signal: NodeJS.Signals): Promise<boolean> {
  const text = await readFile(pidFile, 'utf8').catch(() => '')
  const pid = Number.parseInt(text, 10)
  const ours = async () => pid > 1 && (await commandLine(pid)).includes(mark)
  const found = await ours()
  if (found) {
    process.kill(pid, signal)
    const deadline = Date.now() + graceMs
    while (await ours()) {
      if (Date.now() > deadline) process.kill(pid, 'SIGKILL')
      await sleep(20)
    }
  }
  await rm(pidFile, { force: true })
  return found
}

/** Of any process. Empty when there is no such process, or when only its exit code is left. */
export async function commandLine(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ')
  }
  const ps = await promisify(execFile)('ps', ['-ww', '-o', 'args=', '-p', String(pid)]).catch(() => null)
  return ps?.stdout ?? ''
}
