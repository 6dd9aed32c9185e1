/** What a process used, by the operating system's own account. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'

export type Usage = {
  /** User and system time since the start, with that of its descendants. */
  cpuMs: number
  /** The most that was ever resident; without /proc, what is resident now. */
  residentBytes: number
}

/** Of the process and, for its CPU, all its descendants. @throws when there is no such process. */
export function usageOf(pid: number): Usage {
  try {
    return { cpuMs: cpuOfTree(pid), residentBytes: peakResident(pid) }
  } catch (error) {
    if (existsSync('/proc/self/stat')) throw error
    return usageByPs(pid)
  }
}

/** Of the process alone, without its descendants, those too that have ended. @throws when there is no such process. */
export function usageOfOne(pid: number): Usage {
  if (!existsSync('/proc/self/stat')) return usageByPs(pid)
  const stat = readStat(pid)
  if (!stat) throw new Error(`Cannot find process ${pid}`)
  return { cpuMs: stat.own * msPerTick, residentBytes: peakResident(pid) }
}

/** `/proc` counts CPU in ticks of a hundredth of a second on every Linux there is. */
const msPerTick = 10

function cpuOfTree(root: number): number {
  const stats = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readStat(Number(name)) ?? [])
  const members = new Set([root])
  // A child may stand before its parent in the listing; a few rounds reach every depth there is.
  for (let size = 0; size !== members.size; ) {
    size = members.size
    for (const { pid, parent } of stats) if (members.has(parent)) members.add(pid)
  }
  const own = stats.filter(({ pid }) => members.has(pid))
  if (own.length === 0) throw new Error(`Cannot find process ${root}`)
  return own.reduce((sum, { ticks }) => sum + ticks, 0) * msPerTick
}

/** In ticks: its own, and with those of its children that have ended. */
type Stat = { pid: number; parent: number; own: number; ticks: number }

/** Undefined when the process has just ended; its time has then gone to its parent. */
function readStat(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name, in parentheses, may hold anything. Behind it: state, parent, … utime, stime, cutime, cstime.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = fields.slice(11, 15).map(Number)
    const own = user + system
    return { pid, parent: Number(fields[1]), own, ticks: own + childrenUser + childrenSystem }
  } catch {
    return undefined
  }
}

function peakResident(pid: number): number {
  const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  if (!kilobytes) throw new Error(`Cannot read the peak memory of process ${pid}`)
  return Number(kilobytes[1]) * 1024
}

/** Where there is no /proc: the process alone. */
function usageByPs(pid: number): Usage {
  const [rss = '0', time = '0'] = execFileSync('ps', ['-o', 'rss=,time=', '-p', String(pid)], {
    encoding: 'utf8',
  })
    .trim()
    .split(/\s+/)
  const seconds = time.split(/[:-]/).reduce((sum, part) => sum * 60 + Number(part), 0)
  return { cpuMs: seconds * 1000, residentBytes: Number(rss) * 1024 }
}
