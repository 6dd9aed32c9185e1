import { expect, test } from 'vitest'
import { Watched } from './watched.ts'

function watch(everyMs: number, stopping = new AbortController().signal) {
  let readings = 0
  const watched = new Watched({ read: async () => ++readings, everyMs, stopping })
  return { watched, count: () => readings }
}

test('all who watch at the same time share one reading, and each further one is new', async () => {
  const { watched, count } = watch(1)
  const pages = Array.from({ length: 200 }, () => watched.next())
  expect(new Set(await Promise.all(pages))).toEqual(new Set([1]))
  expect(await watched.next()).toBe(2)
  expect(count()).toBe(2)
})

test('nothing is read before it is asked for, and the pause counts from the reading before', async () => {
  const { watched, count } = watch(50)
  expect(count()).toBe(0)
  const begunAt = performance.now()
  await watched.next()
  await watched.next()
  expect(performance.now() - begunAt).toBeGreaterThan(40)
})

test('those who wait go on when the process stops', async () => {
  const stopping = new AbortController()
  const { watched } = watch(600_000, stopping.signal)
  await watched.next()
  const waiting = watched.next()
  stopping.abort()
  expect(await waiting).toBe(2)
})

test('after a reading that fails, the next one is tried', async () => {
  let fails = true
  const read = async () => {
    if (fails) throw new Error('down')
    return 'up'
  }
  const watched = new Watched({ read, everyMs: 1, stopping: new AbortController().signal })
  await expect(watched.next()).rejects.toThrow('down')
  fails = false
  expect(await watched.next()).toBe('up')
})
