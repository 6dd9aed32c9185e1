/** A copy of the code with a bug in it. */
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../../testing/service-process.ts'
import type { Edit } from './bug.ts'

export type Tree = { path: string } & AsyncDisposable

/** @throws when an edit does not fit the code any more. */
export async function plant(edits: Edit[]): Promise<Tree> {
  const dir = await mkdtemp(join(tmpdir(), 'bookreservation-planted-'))
  const tree = { path: `${dir}/`, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) }
  try {
    for (const part of ['actors', 'streams', 'package.json']) {
      await cp(join(root, part), join(dir, part), { recursive: true })
    }
    await symlink(join(root, 'node_modules'), join(dir, 'node_modules'))
    for (const edit of edits) await apply(dir, edit)
    return tree
  } catch (error) {
    await tree[Symbol.asyncDispose]()
    throw error
  }
}

async function apply(dir: string, { file, find, replace }: Edit): Promise<void> {
  const path = join(dir, file)
  const parts = (await readFile(path, 'utf8')).split(find)
  if (parts.length !== 2) {
    throw new Error(
      `Cannot plant a bug in ${file}: it has ${parts.length - 1} times, not once, the text ${find}`,
    )
  }
  await writeFile(path, parts.join(replace))
}
