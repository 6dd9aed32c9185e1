/** Paths, output and commands, for every part of the installer. */
import { execFileSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../..', import.meta.url))
export const modules = join(root, 'node_modules')
export const bin = join(modules, '.bin')
/** Node keeps compiled files here (`service.ts`), so that every program after the first one starts faster. */
export const compileCache = join(modules, '.cache', 'compile')

/** `deno task` runs the installer, and then everything else, on Deno: neither Node nor npm need be there. */
export const onDeno = 'Deno' in globalThis

/** An expected failure, reported in one line. */
export class InstallError extends Error {}

export const say = (line) => console.error(line)

export function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function run(command, args, options = {}) {
  // Installers print to stderr, because stdout belongs to the script.
  execFileSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options })
}

export function succeeds(command, args) {
  try {
    execFileSync(command, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

export function succeedsLoudly(command, args, options = {}) {
  try {
    run(command, args, { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, ...options })
    return true
  } catch {
    return false
  }
}
