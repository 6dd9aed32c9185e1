/**
 * Installs missing packages and programs, prints each step, and then runs the pinned Node with the remaining arguments:
 *
 *   node deploy/local/install.mjs [--needs=redis,http,?valkey,…] [node options] script [arguments]
 *
 * A need with a question mark is optional: if it cannot be installed, that is reported. On Deno, the script runs on Deno unless it
 * needs node.
 *
 * Runs on any Node from 20 on, or on Deno, and imports no package, because none may be installed yet.
 */
import { spawn } from 'node:child_process'
import { delimiter, join } from 'node:path'
import { installNeed } from './install/install-program.mjs'
import { installPackages } from './install/packages.mjs'
import { bin, compileCache, InstallError, onDeno, say } from './install/shell.mjs'

const parentPollMs = 250

/** Runs the pinned Node, or the Deno that runs this, in place of this process: same terminal, signals and exit code. */
function become(args, byDeno) {
  const { RUNTIME = byDeno ? 'deno' : undefined } = process.env
  const env = {
    NODE_COMPILE_CACHE: compileCache,
    ...process.env,
    PATH: onPathFirst(bin),
    ...(RUNTIME && { RUNTIME }),
    ...withoutProxy(),
  }
  const program = byDeno ? process.execPath : join(bin, 'node')
  // Deno would understand the options of Node, but not all of them.
  const child = spawn(program, byDeno ? ['run', '-A', ...args] : args, { stdio: 'inherit', env })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  if (process.env.npm_lifecycle_event) whenParentIsGone(() => child.kill('SIGTERM'))
  child.on('error', (error) => {
    say(`Cannot run ${program}: ${error.message}`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 1
    if (!signal) return
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

/** Calls to loopback bypass proxies in every program from here on: Node, Deno, k6, Prometheus, HTTPie. */
function withoutProxy() {
  const { NO_PROXY, no_proxy } = process.env
  const given = (no_proxy || NO_PROXY || '').split(/[\s,]+/).filter(Boolean)
  // Half of them expect IPv6 addresses with brackets, the other half without.
  const loopback = ['localhost', '127.0.0.1', '::1', '[::1]']
  const value = given.includes('*') ? '*' : [...new Set([...given, ...loopback])].join(',')
  return { NO_PROXY: value, no_proxy: value }
}

/** An npm that is killed forwards no signal. */
function whenParentIsGone(stop) {
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    stop()
  }, parentPollMs)
  timer.unref()
}

const onPathFirst = (dir) =>
  [dir, ...(process.env.PATH ?? '').split(delimiter).filter((it) => it !== dir)].join(delimiter)

try {
  const [first, ...rest] = process.argv.slice(2)
  const needs = first?.startsWith('--needs=') ? first.slice('--needs='.length).split(',') : []
  await installPackages()
  for (const name of needs) await installNeed(name)
  become(needs.length ? rest : [first, ...rest], onDeno && !needs.includes('node'))
} catch (error) {
  if (!(error instanceof InstallError)) throw error
  say(error.message)
  process.exitCode = 1
}
