import { expect, test } from 'vitest'
import { GroupCommit, QueueFullError } from './group-commit.ts'

/** A commit that ends when the test says so. */
function opened({ groupMax = 100, atOnce = 1 } = {}) {
  const groups: { items: number[]; done: () => void; fail: (error: Error) => void }[] = []
  const commits = new GroupCommit<number, void>({
    commit(items) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      groups.push({ items, done: resolve, fail: reject })
      return promise
    },
    groupMax,
    atOnce,
  })
  return { commits, groups, items: () => groups.map((it) => it.items) }
}

/** When what came at the same moment has been read. */
const atOnce = () => new Promise((resolve) => setImmediate(resolve))

test('the first waits for nothing, and those that come meanwhile go together', async () => {
  const { commits, groups, items } = opened()
  const first = commits.add(1)
  await atOnce()
  expect(items()).toEqual([[1]])
  const others = [commits.add(2), commits.add(3), commits.add(4)]
  expect(items()).toEqual([[1]])
  groups[0]!.done()
  await first
  await expect.poll(items).toEqual([[1], [2, 3, 4]])
  groups[1]!.done()
  await Promise.all(others)
  void commits.add(5)
  await atOnce()
  expect(items()).toEqual([[1], [2, 3, 4], [5]])
})

test('those that come at the same moment go together', async () => {
  const { commits, items } = opened()
  for (const item of [1, 2, 3]) void commits.add(item)
  await atOnce()
  expect(items()).toEqual([[1, 2, 3]])
})

test('as many run at a time as may, and those that come meanwhile go with the next of either', async () => {
  const { commits, groups, items } = opened({ atOnce: 2 })
  const first = [commits.add(1), commits.add(2)]
  await atOnce()
  expect(items()).toEqual([[1, 2]])
  const second = commits.add(3)
  await atOnce()
  expect(items()).toEqual([[1, 2], [3]])
  const third = [commits.add(4), commits.add(5)]
  await atOnce()
  expect(items()).toEqual([[1, 2], [3]])
  groups[1]!.done()
  await second
  await expect.poll(items).toEqual([[1, 2], [3], [4, 5]])
  groups[0]!.done()
  groups[2]!.done()
  await Promise.all([...first, ...third])
})

test('a commit that fails fails for its group and for nobody else', async () => {
  const { commits, groups } = opened()
  const first = commits.add(1)
  await atOnce()
  const second = [commits.add(2), commits.add(3)].map((it) => it.catch((error) => error))
  groups[0]!.done()
  await first
  await expect.poll(() => groups.length).toBe(2)
  const third = commits.add(4)
  const fault = new Error('lost')
  groups[1]!.fail(fault)
  expect(await Promise.all(second)).toEqual([fault, fault])
  await expect.poll(() => groups.length).toBe(3)
  groups[2]!.done()
  await third
})

test('an item is not confirmed before its own group is committed', async () => {
  const { commits, groups } = opened()
  void commits.add(1)
  await atOnce()
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

test('when as many wait as a group may have, the next is refused at once', async () => {
  const { commits, groups } = opened({ groupMax: 2 })
  const taken = [commits.add(1)]
  await atOnce()
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
