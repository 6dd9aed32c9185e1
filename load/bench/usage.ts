/** CPU and memory of processes, from the operating system. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'

export type Usage = {
  /** User and system time since the start, including descendants. */
  cpuMs: number
  /** Peak resident memory; without /proc, the current one. */
  residentBytes: number
}

/** Usage of a process; its CPU includes all descendants. @throws when there is no such process. */
export function usageOf(pid: number): Usage {
  try {
    return { cpuMs: cpuOfTree(pid), residentBytes: peakResident(pid) }
  } catch (error) {
    if (existsSync('/proc/self/stat')) throw error
    return usageByPs(pid)
  }
}

/** Usage of a process without its descendants, even ended ones. @throws when there is no such process. */
export function usageOfOne(pid: number): Usage {
  if (!existsSync('/proc/self/stat')) return usageByPs(pid)
  const stat = readStat(pid)
  if (!stat) throw new Error(`Cannot find process ${pid}`)
  return { cpuMs: stat.own * msPerTick, residentBytes: peakResident(pid) }
}

/** On every Linux `/proc` counts CPU in ticks of 10 ms. */
const msPerTick = 10

function cpuOfTree(root: number): number {
  const stats = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readStat(Number(name)) ?? [])
  const members = new Set([root])
  // A child may be listed before its parent, so a few rounds find all depths.
  for (let size = 0; size !== members.size; ) {
    size = members.size
    for (const { pid, parent } of stats) if (members.has(parent)) members.add(pid)
  }
  const own = stats.filter(({ pid }) => members.has(pid))
  if (own.length === 0) throw new Error(`Cannot find process ${root}`)
  return own.reduce((sum, { ticks }) => sum + ticks, 0) * msPerTick
}

/** Ticks of the process itself, and including its ended children. */
type Stat = { pid: number; parent: number; own: number; ticks: number }

/** Undefined if the process has just ended; its time now belongs to its parent. */
function readStat(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name, in parentheses, may contain anything. Then follow state, parent, … utime, stime, cutime, cstime.
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

/** Without /proc: only the process itself. */
function usageByPs(pid: number): Usage {
  const [rss = '0', time = '0'] = execFileSync('ps', ['-o', 'rss=,time=', '-p', String(pid)], {
    encoding: 'utf8',
  })
    .trim()
    .split(/\s+/)
  const seconds = time.split(/[:-]/).reduce((sum, part) => sum * 60 + Number(part), 0)
  return { cpuMs: seconds * 1000, residentBytes: Number(rss) * 1024 }
}
