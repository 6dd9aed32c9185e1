import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

type Process = { pid: number; parent: number }

/** Kills a process and all its descendants. It is halted first, so that it cannot start others meanwhile. */
export function killTree(pid: number): void {
  send(pid, 'SIGSTOP')
  const processes = listProcesses()
  const kill = (parent: number) => {
    for (const child of processes.filter((it) => it.parent === parent)) kill(child.pid)
    send(parent, 'SIGKILL')
  }
  kill(pid)
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has already ended.
  }
}

/** All processes of this machine. */
export function listProcesses(): Process[] {
  const lines = process.platform === 'linux' ? fromProc() : fromPs()
  return lines.map((line) => {
    const [pid, parent] = line.trim().split(/\s+/).map(Number)
    return { pid: pid!, parent: parent! }
  })
}

const fromPs = () => execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n')

/** Slim images have no `ps`. */
function fromProc(): string[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.flatMap((pid) => {
    try {
      // The name of the program, in parentheses, may contain anything.
      const afterName = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\)/s, '').trim()
      return [`${pid} ${afterName.split(' ')[1]}`]
    } catch {
      return []
    }
  })
}
