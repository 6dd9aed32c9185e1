import { afterAll, beforeAll, expect, test } from 'vitest'
import { entriesOf } from './entry.ts'
import { groupsOf } from './groups.ts'
import { alignGroup, type Cursor, isNoGroup, type Reading, readEntries } from './mailbox.ts'
import { openRuntime, type Runtime, range } from './testing/runtime.ts'

let runtime: Runtime
let partition = 0
beforeAll(async () => {
  runtime = await openRuntime({ partitions: 32 })
})
afterAll(() => runtime[Symbol.asyncDispose]())

/** A partition of its own, with this many entries. */
async function opened(values: number) {
  const mine = partition++
  const key = runtime.key(mine)
  const { redis } = runtime
  const positions = await runtime.post(mine, ...Array.from({ length: values }, (_, i) => i))
  const cursor = (at: Partial<Cursor> = {}) => runtime.cursor(mine, at)
  await alignGroup(redis, cursor(), { owner: true, taking: true })
  return {
    key,
    positions,
    redis,
    cursor,
    post: (...them: number[]) => runtime.post(mine, ...them),
    send: (...them: number[]) => runtime.send(mine, ...them),
    align: (at: Partial<Cursor> = {}, { owner = true, taking = true } = {}) =>
      alignGroup(redis, cursor(at), { owner, taking }),
    /** Reads after the offset, or after a later position. */
    read: async (at: Partial<Reading>, count: number) => {
      const committed = cursor(at)
      const found = await readEntries(redis, [{ ...committed, after: at.after ?? committed.position }], count)
      return found[0]!.map(([id]) => id)
    },
    group: async () => (await groupsOf(redis, key)).find((it) => it.name === 'counter')!,
    lag: async () => (await groupsOf(redis, key)).find((it) => it.name === 'counter')?.lag,
    readers: async () =>
      ((await redis.xinfo('CONSUMERS', key, 'counter')) as string[][]).map(
        (it) => it[it.indexOf('name') + 1],
      ),
  }
}

test('aligning a group counts the messages that are not committed', async () => {
  const it = await opened(5)
  expect(await it.align({ position: it.positions[1]!, processed: 2 })).toMatchObject({ lag: 3 })
  await it.post(6)
  expect(await it.align({ position: it.positions[1]!, processed: 2 })).toMatchObject({ lag: 4 })
})

test('R1: a position read twice gives the same entries, though the first reply was lost', async () => {
  const it = await opened(5)
  const first = await it.read({}, 3)
  expect(await it.read({}, 3)).toEqual(first)
  expect(first).toEqual(it.positions.slice(0, 3))
})

test('R1: reads of other clients, and reads ahead, change nothing', async () => {
  const it = await opened(5)
  await it.read({ consumer: 'stalled' }, 5)
  expect(await it.read({ position: it.positions[1]!, processed: 2 }, 2)).toEqual(it.positions.slice(2, 4))
  await it.read({ consumer: 'stalled', position: it.positions[4]!, processed: 5 }, 5)
  expect(await it.read({ position: it.positions[1]!, processed: 2 }, 10)).toEqual(it.positions.slice(2))
})

test('streams that are read together share the limit, in the order named', async () => {
  const [one, other] = [await opened(3), await opened(4)]
  const [first, second] = [
    { ...one.cursor(), after: '0-0' },
    { ...other.cursor(), after: '0-0' },
  ]
  const found = async (readings: Reading[], limit: number) =>
    (await readEntries(runtime.redis, readings, limit)).map((rows) => rows.map(([id]) => id))
  expect(await found([first, second], 5)).toEqual([one.positions, other.positions.slice(0, 2)])
  expect(await found([second, first], 5)).toEqual([other.positions, one.positions.slice(0, 1)])
  expect(await found([first, second], 2)).toEqual([one.positions.slice(0, 2), []])
  expect(await found([], 2)).toEqual([])
})

test('R3: the cursor passes entries only once they are committed, even if more are read before that', async () => {
  const it = await opened(4)
  expect(await it.read({}, 2)).toEqual(it.positions.slice(0, 2))
  expect(await it.group()).toMatchObject({ position: '0-0', pending: 0, lag: 4 })
  expect(await it.read({ after: it.positions[1]! }, 2)).toEqual(it.positions.slice(2))
  expect(await it.group()).toMatchObject({ position: '0-0', pending: 0, lag: 4 })
  await it.read({ position: it.positions[1]!, processed: 2 }, 1)
  expect(await it.group()).toMatchObject({ position: it.positions[1], pending: 0, lag: 2 })
})

test('R2: the lag is exact after reading, going back, committing and trimming', async () => {
  const it = await opened(10)
  expect(await it.lag()).toBe(10)
  await it.read({}, 6)
  expect(await it.lag()).toBe(10)
  await it.read({ position: it.positions[1]!, processed: 2 }, 3)
  expect(await it.lag()).toBe(8)
  await it.redis.xtrim(it.key, 'MINID', it.positions[1]!)
  expect(await it.lag()).toBe(8)
  await it.read({ position: it.positions[4]!, processed: 5 }, 0)
  expect(await it.lag()).toBe(5)
  await it.read({ position: it.positions[1]!, processed: 2 }, 3)
  expect(await it.lag()).toBe(8)
  await it.read({ position: it.positions[9]!, processed: 10 }, 10)
  expect(await it.lag()).toBe(0)
  await it.post(1, 2)
  expect(await it.lag()).toBe(2)
})

test('R2: aligning shows the offset that was committed since the last read', async () => {
  const it = await opened(5)
  await it.read({}, 5)
  await it.align({ position: it.positions[3]!, processed: 4 }, { taking: false })
  expect(await it.group()).toMatchObject({ position: it.positions[3], lag: 1 })
})

test('reading without a group fails, and aligning creates the group', async () => {
  const it = await opened(3)
  await it.redis.xgroup('DESTROY', it.key, 'counter')
  const at = { position: it.positions[0]!, processed: 1 }
  expect(await it.read(at, 10).catch(isNoGroup)).toBe(true)
  await it.redis.del(it.key)
  expect(await it.read(at, 10).catch(isNoGroup)).toBe(true)
  expect(await it.align(at)).toMatchObject({ created: true })
  expect(await it.read(at, 10)).toEqual([])
})

const future = `${Date.now() + 3_600_000}-5`

test('when the stream was lost and its clock is behind, new entries still come after the offset', async () => {
  const it = await opened(0)
  await it.redis.del(it.key)
  const at = { position: future, processed: 100 }
  await it.align(at)
  expect(await it.lag()).toBe(0)
  const [position] = await it.post(1)
  expect(await it.lag()).toBe(1)
  expect(await it.read(at, 10)).toEqual([position])
})

test('R2: the lag is exact after the stream was lost and senders wrote to it first', async () => {
  const it = await opened(0)
  await it.redis.del(it.key)
  // Three messages came before the owner noticed.
  const positions = await it.post(1, 2, 3)
  const at = { position: '1000-0', processed: 100 }
  await it.align(at)
  expect(await it.lag()).toBe(3)
  expect(await it.read(at, 2)).toEqual(positions.slice(0, 2))
  await it.read({ position: positions[1]!, processed: 102 }, 0)
  expect(await it.lag()).toBe(1)
})

test('R2: the lag is exact after the stream’s end was lost', async () => {
  const it = await opened(5)
  // Redis has five entries, and eight are committed: it has lost three that were handled.
  const at = { position: future, processed: 8 }
  await it.align(at)
  expect(await it.lag()).toBe(0)
  await it.post(1, 2)
  expect(await it.lag()).toBe(2)
})

test('R2: the lag is exact after the stream’s end was lost and others wrote to it', async () => {
  const it = await opened(5)
  await it.read({ position: it.positions[3]!, processed: 4 }, 1)
  const [ms, n] = it.positions[4]!.split('-').map(Number)
  // Committed: the five, and three more that Redis lost before it received another two.
  const at = { position: `${ms}-${n! + 3}`, processed: 8 }
  await it.redis.xadd(it.key, `${ms}-${n! + 10}`, 'a', 'b')
  await it.redis.xadd(it.key, `${ms}-${n! + 11}`, 'a', 'b')
  await it.align(at)
  expect(await it.read(at, 1)).toHaveLength(1)
  expect(await it.lag()).toBe(2)
  await it.read({ position: `${ms}-${n! + 10}`, processed: 9 }, 1)
  expect(await it.lag()).toBe(1)
})

test('R2: the lag is exact after another client has deleted unread entries', async () => {
  const it = await opened(12)
  const at = { position: it.positions[3]!, processed: 4 }
  await it.read(at, 4)
  await it.redis.xtrim(it.key, 'MAXLEN', 0)
  expect(await it.lag()).toBe(8)
  await it.align(at)
  expect(await it.lag()).toBe(0)
  await it.post(1, 2)
  expect(await it.lag()).toBe(2)
})

/** The positions of the messages that Redis returns for a read after this one. */
const messagesOf = async (key: string, after: string) =>
  entriesOf(await runtime.redis.xrange(key, `(${after}`, '+'), after, false).map((it) => it.position)

test('R7: part of an entry can be committed: it is read again without that part, and the lag counts messages', async () => {
  const it = await opened(2)
  await it.send(...range(5))
  await it.send(...range(3))
  const positions = await messagesOf(it.key, '0-0')
  expect(positions).toHaveLength(10)
  expect(await it.redis.xlen(it.key)).toBe(4)
  for (const [i, position] of positions.entries()) {
    const at = { position, processed: i + 1 }
    expect(await it.read(at, 10)).toHaveLength(i < 2 ? 3 - i : i < 6 ? 2 : i < 9 ? 1 : 0)
    expect(await messagesOf(it.key, position)).toEqual(positions.slice(i + 1))
    expect(await it.lag()).toBe(9 - i)
    expect(await it.align(at)).toMatchObject({ misfit: '', lag: 9 - i })
  }
})

test('R7: the lag is exact after the stream’s end was lost within an entry, and others wrote to it', async () => {
  const it = await opened(0)
  await it.send(...range(5))
  const positions = await messagesOf(it.key, '0-0')
  const { lag } = await it.align({ position: positions[2]!, processed: 3 }, { taking: false })
  expect(lag).toBe(2)
  // Redis forgets the count and the cursor, as after a restart from an older file.
  await it.redis.xgroup('SETID', it.key, 'counter', '0-0')
  await it.redis.xsetid(it.key, positions[4]!, 'ENTRIESADDED', 1)
  await it.send(...range(4))
  const at = { position: positions[2]!, processed: 3 }
  expect(await it.align(at)).toMatchObject({ lag: 6 })
  expect(await it.read(at, 9)).toHaveLength(2)
  await it.redis.del(it.key)
  await it.send(...range(7))
  const late = { position: '1000-2', processed: 9 }
  expect(await it.align(late)).toMatchObject({ lag: 7 })
})

test('R7: when the stream was lost within an entry and its clock is behind, messages come after the offset', async () => {
  const it = await opened(0)
  const at = { position: future, processed: 100 }
  await it.align(at)
  await it.send(...range(3))
  const [ms] = future.split('-')
  expect(await messagesOf(it.key, future)).toEqual([`${ms}-6`, `${ms}-7`, `${ms}-8`])
  expect(await it.align({ position: `${ms}-7`, processed: 102 }, { taking: false })).toMatchObject({ lag: 1 })
})

test('only the owner of a topic raises its ids', async () => {
  const it = await opened(0)
  await it.align({ position: future, processed: 100 }, { owner: false })
  const info = (await it.redis.xinfo('STREAM', it.key)) as unknown[]
  expect(info[info.indexOf('last-generated-id') + 1]).toBe('0-0')
})

test('aligning removes other readers with what they have pending, and names the owner', async () => {
  const it = await opened(5)
  await it.redis.xreadgroup('GROUP', 'counter', 'another client', 'COUNT', 3, 'STREAMS', it.key, '>')
  await it.read({ consumer: 'gone' }, 2)
  const at = { position: it.positions[1]!, processed: 2 }
  await it.align(at)
  expect(await it.readers()).toEqual(['c'])
  expect(await it.group()).toMatchObject({ position: at.position, pending: 0, lag: 3 })
  expect(await it.read(at, 5)).toEqual(it.positions.slice(2))
})

test('aligning twice changes nothing', async () => {
  const it = await opened(6)
  const at = { position: it.positions[1]!, processed: 2 }
  await it.read(at, 3)
  expect(await it.align(at)).toMatchObject({ created: false, misfit: '' })
  const look = async () => [await it.redis.xinfo('STREAM', it.key), await it.group(), await it.readers()]
  const before = await look()
  expect(await it.align(at)).toMatchObject({ created: false, misfit: '' })
  expect(await look()).toEqual(before)
})
