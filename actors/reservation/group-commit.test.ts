import { expect, test } from 'vitest'
import { GroupCommit, QueueFullError } from './group-commit.ts'

/** Commits that end when the test ends them. */
function opened({ groupMax = 100, concurrency = 1 } = {}) {
  const groups: { items: number[]; done: () => void; fail: (error: Error) => void }[] = []
  const commits = new GroupCommit<number, void>({
    commit(items) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      groups.push({ items, done: resolve, fail: reject })
      return promise
    },
    groupMax,
    concurrency,
  })
  return { commits, groups, items: () => groups.map((it) => it.items) }
}

/** Resolves after items added in the same turn have been committed. */
const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

test('the first item is committed immediately, and those that arrive meanwhile go together', async () => {
  const { commits, groups, items } = opened()
  const first = commits.add(1)
  await nextTurn()
  expect(items()).toEqual([[1]])
  const others = [commits.add(2), commits.add(3), commits.add(4)]
  expect(items()).toEqual([[1]])
  groups[0]!.done()
  await first
  await expect.poll(items).toEqual([[1], [2, 3, 4]])
  groups[1]!.done()
  await Promise.all(others)
  void commits.add(5)
  await nextTurn()
  expect(items()).toEqual([[1], [2, 3, 4], [5]])
})

test('items of the same turn go together', async () => {
  const { commits, items } = opened()
  for (const item of [1, 2, 3]) void commits.add(item)
  await nextTurn()
  expect(items()).toEqual([[1, 2, 3]])
})

test('with two concurrent commits, items that arrive meanwhile go with whichever ends first', async () => {
  const { commits, groups, items } = opened({ concurrency: 2 })
  const first = [commits.add(1), commits.add(2)]
  await nextTurn()
  expect(items()).toEqual([[1, 2]])
  const second = commits.add(3)
  await nextTurn()
  expect(items()).toEqual([[1, 2], [3]])
  const third = [commits.add(4), commits.add(5)]
  await nextTurn()
  expect(items()).toEqual([[1, 2], [3]])
  groups[1]!.done()
  await second
  await expect.poll(items).toEqual([[1, 2], [3], [4, 5]])
  groups[0]!.done()
  groups[2]!.done()
  await Promise.all([...first, ...third])
})

test('a failed commit rejects the items of its own group only', async () => {
  const { commits, groups } = opened()
  const first = commits.add(1)
  await nextTurn()
  const second = [commits.add(2), commits.add(3)].map((it) => it.catch((error) => error))
  groups[0]!.done()
  await first
  await expect.poll(() => groups.length).toBe(2)
  const third = commits.add(4)
  const error = new Error('lost')
  groups[1]!.fail(error)
  expect(await Promise.all(second)).toEqual([error, error])
  await expect.poll(() => groups.length).toBe(3)
  groups[2]!.done()
  await third
})

test('an item resolves only when its own group is committed', async () => {
  const { commits, groups } = opened()
  void commits.add(1)
  await nextTurn()
  let confirmed = false
  const second = commits.add(2).then(() => {
    confirmed = true
  })
  groups[0]!.done()
  await expect.poll(() => groups.length).toBe(2)
  expect(confirmed).toBe(false)
  groups[1]!.done()
  await second
})

test('when a full group is waiting, the next item is rejected immediately', async () => {
  const { commits, groups } = opened({ groupMax: 2 })
  const taken = [commits.add(1)]
  await nextTurn()
  taken.push(commits.add(2), commits.add(3))
  await expect(commits.add(4)).rejects.toThrow(QueueFullError)
  groups[0]!.done()
  await expect.poll(() => groups.length).toBe(2)
  taken.push(commits.add(5))
  groups[1]!.done()
  await expect.poll(() => groups.length).toBe(3)
  groups[2]!.done()
  await Promise.all(taken)
  expect(groups.map((it) => it.items)).toEqual([[1], [2, 3], [5]])
})
