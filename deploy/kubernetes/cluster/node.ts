/**
 * A node of the cluster: namespaces of its own for processes, mounts, network and names, as kind's nodes are containers. Its
 * process 1 ends with this process, and everything in it ends with its process 1.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { leash } from '../../local/processes/leash.ts'
import { sources } from './cache.ts'
import { run } from './commands.ts'

const cgroups = '/sys/fs/cgroup'
const startMs = 10_000

export class Node {
  readonly name: string
  /** Of the last byte of its address: 1 or 2. */
  readonly number: number
  /** Its files. */
  readonly dir: string
  readonly #logs: string
  /** Of its process 1. */
  readonly pid: number
  readonly #unshare: ChildProcess
  readonly #ended: Promise<unknown>
  readonly #unleash: () => void

  private constructor(name: string, number: number, dir: string, pid: number, unshare: ChildProcess) {
    this.name = name
    this.number = number
    this.dir = join(dir, name)
    this.#logs = join(dir, 'logs')
    this.pid = pid
    this.#unshare = unshare
    this.#ended = new Promise((resolve) => unshare.once('exit', resolve))
    this.#unleash = leash(unshare.pid!, 'SIGKILL')
  }

  /** @param pause is the program that becomes its process 1. */
  static async start(name: string, number: number, dir: string, pause: string): Promise<Node> {
    mkdirSync(join(dir, name), { recursive: true })
    mkdirSync(join(dir, 'logs'), { recursive: true })
    const spaces = ['--mount', '--net', '--pid', '--uts', '--ipc', '--mount-proc', '--propagation=private']
    const log = openSync(join(dir, 'logs', `${name}.log`), 'a')
    const args = [...spaces, '--fork', '--kill-child', join(sources, 'node/init.sh'), name, pause]
    const unshare = spawn('unshare', args, { stdio: ['ignore', log, log], detached: true })
    const pid = await processOf(unshare.pid!, 'pause')
    const node = new Node(name, number, dir, pid, unshare)
    for (const controller of controllers()) makeCgroup(controller, node.cgroup)
    return node
  }

  /** Its pods are below a cgroup of its own. */
  get cgroup(): string {
    return cgroupOf(dirname(this.dir), this.name)
  }

  get address(): string {
    return `198.18.0.${this.number}`
  }

  /** The beginning of a command line that runs inside. */
  get enter(): [string, ...string[]] {
    const spaces = ['--mount', '--net', '--pid', '--uts', '--ipc']
    return ['nsenter', `--target=${this.pid}`, ...spaces, '--']
  }

  run(...args: string[]): Promise<string> {
    const [command, ...rest] = [...this.enter, ...args] as [string, ...string[]]
    return run(command, rest)
  }

  /** Starts a program that runs as long as the node. */
  launch(program: string, ...args: string[]): void {
    const name = program.split('/').at(-1)!
    const log = openSync(join(this.#logs, `${name}-${this.name}.log`), 'a')
    const [command, ...rest] = [...this.enter, program, ...args] as [string, ...string[]]
    spawn(command, rest, { stdio: ['ignore', log, log], detached: true }).unref()
  }

  /** As if the power was cut: every process in it is gone at once. A second time it does nothing. */
  async kill(): Promise<void> {
    this.#unshare.kill('SIGKILL')
    await this.#ended
    while (isRunning(this.pid)) await delay(20)
    this.#unleash()
    await removeCgroups(this.cgroup)
  }
}

/** @returns the process that another has started, once it runs this program. */
async function processOf(parent: number, program: string): Promise<number> {
  const deadline = performance.now() + startMs
  while (performance.now() < deadline) {
    const [child] = read(`/proc/${parent}/task/${parent}/children`).split(' ')
    if (child && read(`/proc/${child}/comm`).trim() === program) return Number(child)
    await delay(20)
  }
  throw new Error('Cannot start a node: see its log')
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

export const isRunning = (pid: number) => read(`/proc/${pid}/stat`) !== ''

/** @param dir of the cluster. */
export const cgroupOf = (dir: string, node: string): string => `bookreservation-${basename(dir)}-${node}`

/** The hierarchies of version 1. */
const controllers = () =>
  (existsSync(cgroups) ? readdirSync(cgroups) : []).filter((it) => !it.includes(',') && it !== 'unified')

function makeCgroup(controller: string, name: string): void {
  const path = join(cgroups, controller, name)
  mkdirSync(path, { recursive: true })
  // A new cgroup of this controller has none, and so cannot have processes.
  if (controller === 'cpuset')
    for (const file of ['cpuset.cpus', 'cpuset.mems'])
      writeFileSync(join(path, file), readFileSync(join(cgroups, controller, file)))
}

/** runc uses version 2, too, where it is mounted beside version 1. */
export const foldersOf = (cgroup: string): string[] =>
  [...controllers(), 'unified'].map((it) => join(cgroups, it, cgroup))

export async function removeCgroups(name: string): Promise<void> {
  for (const it of foldersOf(name)) await removeCgroup(it)
}

/** The kernel removes a cgroup only a moment after its last process. */
async function removeCgroup(path: string): Promise<void> {
  const inside = () => {
    try {
      return readdirSync(path, { withFileTypes: true }).filter((it) => it.isDirectory())
    } catch {
      return []
    }
  }
  for (const it of inside()) await removeCgroup(join(path, it.name))
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      return rmdirSync(path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      await delay(50)
    }
  }
  throw new Error(`Cannot remove ${path}`)
}
