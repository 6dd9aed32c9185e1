/** What is compared with is installed when it is wanted: the product carries none of it. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const dir = import.meta.dirname

/** @throws when npm cannot install. */
export function installContenders(): void {
  if (installed()) return
  console.error('Installing what is compared with: npm install, in load/comparisons')
  // None of their packages needs a script of its own to work.
  // Not `npm ci`, which asks for packages of every platform, those too that a registry does not have.
  const args = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund']
  try {
    execFileSync('npm', args, { cwd: dir, stdio: ['ignore', 2, 2] })
  } catch (cause) {
    throw new Error('Cannot install what is compared with: npm install failed, as told above', { cause })
  }
}

/** Of what is compared with, by package. */
export const versions = (): Record<string, string> =>
  JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')).dependencies

type Packages = Record<string, { version?: string; optional?: boolean }>

/** Whether every package that the lockfile names is there in its version. */
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
