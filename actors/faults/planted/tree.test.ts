/** The planted bugs fit the code: where it changes, they have to be planted anew. */
import { expect, test } from 'vitest'
import { checks } from '../checks/all.ts'
import { scenarios } from '../scenarios/all.ts'
import { bugs } from './bugs.ts'
import { plant } from './tree.ts'

test.for(bugs)('$name: it can be planted, and names a scenario and checks that exist', async (bug) => {
  await using tree = await plant(bug.edits)
  expect(tree.path).toMatch(/\/$/)
  expect(scenarios.map(({ name }) => name)).toContain(bug.scenario)
  expect(checks.map(({ name }) => name)).toEqual(expect.arrayContaining(bug.caughtBy))
})

test('a bug that does not fit the code is refused', async () => {
  const edit = { file: 'streams/commit.ts', find: 'no such text', replace: '' }
  await expect(plant([edit])).rejects.toThrow('not once, the text no such text')
})
