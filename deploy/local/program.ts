import { accessSync, constants, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { root } from './root.ts'

/** Where `install.mjs` unpacks what it does not install, a folder each. */
const unpacked = join(root, 'node_modules', '.cache', 'programs')

/** @returns where the first of these commands is: on the PATH, or else among what was unpacked. */
export function findProgram(...names: string[]): string | undefined {
  const dirs = [...(process.env.PATH ?? '').split(delimiter), ...unpackedDirs()]
  return names.flatMap((name) => dirs.map((dir) => join(dir, name))).find(isExecutable)
}

function unpackedDirs(): string[] {
  try {
    return readdirSync(unpacked).map((dir) => join(unpacked, dir, 'usr', 'bin'))
  } catch {
    return []
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
