/** Whether this machine can run the cluster, checked before anything is built. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, statfsSync } from 'node:fs'
import { cache } from './cache.ts'

const diskMin = 12e9

const needs = [
  'go',
  'podman',
  'runc',
  'debootstrap',
  'openssl',
  'iptables',
  'ipset',
  'conntrack',
  'unshare',
  'nsenter',
  'ip',
]

const needsOfKind = ['go', 'podman', 'docker', 'kind', 'kubectl']

/** @returns what is missing, one line each. */
export function faultsOfMachine(kind: boolean): string[] {
  if (kind) return missing(needsOfKind)
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return ['It needs Linux on x64. Elsewhere add --kind, or use k3d: deploy/README.md']
  if (process.getuid?.() !== 0)
    return ['It needs root: its nodes have namespaces, mounts and cgroups of their own']
  return [
    ...missing(needs),
    ...(succeeds('unshare', '--mount', '--net', '--pid', '--uts', '--ipc', '--fork', 'true')
      ? []
      : ['This machine forbids namespaces, as most containers do']),
    ...(existsSync('/sys/fs/cgroup/memory')
      ? []
      : [
          'Its cgroups are of version 2, and the nodes are made for version 1. Add --kind, or use k3d: deploy/README.md',
        ]),
    ...diskFault(),
  ]
}

function missing(programs: string[]): string[] {
  const names = programs.filter((it) => !succeeds('sh', '-c', `command -v ${it}`))
  return names.length > 0 ? [`These programs are missing: ${names.join(', ')}`] : []
}

function succeeds(command: string, ...args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function diskFault(): string[] {
  mkdirSync(cache, { recursive: true })
  const { bavail, bsize } = statfsSync(cache)
  const free = bavail * bsize
  return free < diskMin
    ? [
        `${cache} has ${(free / 1e9).toFixed(1)} GB left, and programs and images take up to ${diskMin / 1e9} GB`,
      ]
    : []
}
