import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** @returns where on the PATH the first of these commands is. */
export function findProgram(...names: string[]): string | undefined {
  const paths = names.flatMap((name) =>
    (process.env.PATH ?? '').split(delimiter).map((dir) => join(dir, name)),
  )
  return paths.find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
