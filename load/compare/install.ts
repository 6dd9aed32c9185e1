/** Installs the packages of the contenders on demand: they are not dependencies of the product. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const dir = import.meta.dirname

/** @throws when npm cannot install. */
export function installContenders(): void {
  if (installed()) return
  console.error('Installing the contenders: npm install, in load/compare')
  // None of their packages needs its install script.
  // Not `npm ci`, which requests packages for all platforms, including ones that a registry may lack.
  const args = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund']
  try {
    execFileSync('npm', args, { cwd: dir, stdio: ['ignore', 2, 2] })
  } catch (cause) {
    throw new Error('Cannot install the contenders: npm install failed; see the output above', { cause })
  }
}

/** The versions of the contenders, by package. */
export const versions = (): Record<string, string> =>
  JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')).dependencies

type Packages = Record<string, { version?: string; optional?: boolean }>

/** Whether every package of the lockfile is installed in its version. */
function installed(): boolean {
  try {
    const read = (path: string) => JSON.parse(readFileSync(join(dir, path), 'utf8')).packages as Packages
    const present = read('node_modules/.package-lock.json')
    return Object.entries(read('package-lock.json')).every(
      ([path, { version, optional }]) => path === '' || optional || present[path]?.version === version,
    )
  } catch {
    return false
  }
}
