/** Podman, configured for the limits of this machine. */
import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findProgram } from '../local/processes/program.ts'
import { root } from '../local/root.ts'

const dir = mkdtempSync(join(tmpdir(), 'bookreservation-podman-'))
const conf = join(dir, 'containers.conf')
process.once('exit', () => rmSync(dir, { recursive: true, force: true }))

/** Podman raises the limits of its containers, which some machines refuse. So they stay within our own. */
const limits = ['nofile', 'nproc'].map((name) => `"${name}=${limitOf(name)}:${limitOf(name)}"`)
// crun, podman's default, fails on machines that mount both versions of cgroups.
const runtime = findProgram('runc') ? 'runtime = "runc"\n' : ''
writeFileSync(conf, `[containers]\ndefault_ulimits = [${limits.join(', ')}]\n[engine]\n${runtime}`)

function limitOf(name: string): number {
  const line = name === 'nofile' ? /^Max open files +\S+ +(\d+)/m : /^Max processes +\S+ +(\d+)/m
  const [, hard = '32768'] = readFileSync('/proc/self/limits', 'utf8').match(line) ?? []
  return Math.min(Number(hard), 32_768)
}

/** The environment of every call of podman. */
export const podmanEnv = { CONTAINERS_CONF: process.env.CONTAINERS_CONF ?? conf }

/** @returns its output. @throws with its error output. */
export async function podman(...args: string[]): Promise<string> {
  const env = { ...process.env, ...podmanEnv }
  const { stdout } = await promisify(execFile)('podman', args, { cwd: root, env, maxBuffer: 64 * 2 ** 20 })
  return stdout.trim()
}

/** Runs a long command and shows its output. @throws when it fails. */
export async function shown(command: string, ...args: string[]): Promise<void> {
  const child = spawn(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...podmanEnv } })
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('exit', resolve))
  if (code !== 0) throw new Error(`${command} ${args[0]} ended with ${code}`)
}

/**
 * Runs a service as in Kubernetes, but on this machine's network, where the stores of the test are. Podman takes the values of
 * its environment from its own, so that no command line shows them.
 */
export function runCommand(image: string, names: string[], args: string[]): [string, ...string[]] {
  return [
    ...(['podman', 'run', '--rm', '--network=host', '--read-only', '--read-only-tmpfs=false'] as const),
    ...['--cap-drop=all', '--security-opt=no-new-privileges', `--label=${label}`],
    ...names.map((name) => `--env=${name}`),
    image,
    ...args,
  ]
}

/** Marks the containers of a test, to find the ones that it leaves behind. */
export const label = `bookreservation-test=${process.pid}`
