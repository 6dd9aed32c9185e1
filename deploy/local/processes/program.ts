import { accessSync, constants, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { root } from '../root.ts'

/** `install.mjs` unpacks programs here that it does not install, in a folder each. */
const unpacked = join(root, 'node_modules', '.cache', 'programs')

/** @returns the path of the first of these commands, on the PATH or among the unpacked programs. */
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
