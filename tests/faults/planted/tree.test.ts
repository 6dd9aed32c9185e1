/** The planted bugs fit the code: a change of the code they quote must change them too. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checks } from '../checks/all.ts'
import { scenarios } from '../scenarios/all.ts'
import { bugs } from './bugs.ts'
import { edited, parts, plant } from './tree.ts'

test.for(bugs)('$name: it can be planted, and names a scenario and checks that exist', async (bug) => {
  expect((await edited(bug.edits)).size).toBeGreaterThan(0)
  expect(bug.edits.filter(({ file }) => !parts.some((part) => file.startsWith(part)))).toEqual([])
  expect(scenarios.map(({ name }) => name)).toContain(bug.scenario)
  expect(checks.map(({ name }) => name)).toEqual(expect.arrayContaining(bug.caughtBy))
})

test('a bug is planted in a copy of the code', async () => {
  const edit = { file: 'streams/commit.ts', find: 'and m.position = a.read_at', replace: 'and true' }
  await using tree = await plant([edit])
  const text = await readFile(join(tree.path, edit.file), 'utf8')
  expect(text).toContain('m.epoch = a.epoch and true')
  expect(text).not.toContain(edit.find)
})

test('a bug that does not fit the code is refused', async () => {
  const edit = { file: 'streams/commit.ts', find: 'no such text', replace: '' }
  await expect(plant([edit])).rejects.toThrow('contains 0 times: no such text')
})
