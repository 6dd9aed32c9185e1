/** A copy of the code with a bug in it. */
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../../harness/service-process.ts'
import type { Edit } from './bug.ts'

/** Copied: all that services and operators' commands run, and the points at which services crash. */
export const parts = ['actors', 'platform', 'streams', 'deploy/ops', 'tests/faults/crash', 'package.json']

export type Tree = { path: string } & AsyncDisposable

/** @throws when an edit no longer fits the code. */
export async function plant(edits: Edit[]): Promise<Tree> {
  const files = await edited(edits)
  const dir = await mkdtemp(join(tmpdir(), 'bookreservation-planted-'))
  const tree = { path: `${dir}/`, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) }
  try {
    for (const part of parts) {
      await cp(join(root, part), join(dir, part), { recursive: true })
    }
    await symlink(join(root, 'node_modules'), join(dir, 'node_modules'))
    for (const [file, text] of files) await writeFile(join(dir, file), text)
    return tree
  } catch (error) {
    await tree[Symbol.asyncDispose]()
    throw error
  }
}

/** @returns the edited files by path. @throws when an edit no longer fits the code. */
export async function edited(edits: Edit[]): Promise<Map<string, string>> {
  const files = new Map<string, string>()
  for (const { file, find, replace } of edits) {
    const parts = (files.get(file) ?? (await readFile(join(root, file), 'utf8'))).split(find)
    if (parts.length !== 2) {
      throw new Error(
        `Cannot plant a bug in ${file}: it must contain once, but contains ${parts.length - 1} times: ${find}`,
      )
    }
    files.set(file, parts.join(replace))
  }
  return files
}
