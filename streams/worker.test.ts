import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import postgres from 'postgres'
import { expect, test } from 'vitest'
import { dropLetters, listLetters, redriveLetters, redriveLike } from './dead-letter.ts'
import { entriesOf } from './entry.ts'
import { toFields } from './envelope.ts'
import { groupsOf } from './groups.ts'
import { contentMax } from './letter.ts'
import { batchesKey } from './mailbox.ts'
import { closing, openPostgres } from './postgres.ts'
import { counter, envelopeOf } from './testing/counter.ts'
import { gate } from './testing/gate.ts'
import { openRuntime, type Runtime, range } from './testing/runtime.ts'

const ids = (count: number) => range(count, 1).map((seq) => `${seq}-0`)
const values = (published: { value: number }[]) => published.map((it) => it.value)

test('W1: messages of one partition take effect, and their events appear, in the order of its stream', async () => {
  await using runtime = await openRuntime({ partitions: 3 })
  const worker = runtime.worker()
  for (const lot of range(10)) {
    await Promise.all(range(3).map((partition) => runtime.post(partition, ...range(40, lot * 40))))
  }
  await runtime.untilCounted(1_200)
  for (const partition of range(3)) {
    expect(await runtime.values(partition)).toEqual(range(400))
    await runtime.until(async () => (await runtime.published(partition)).length === 400)
    expect(values(await runtime.published(partition))).toEqual(range(400))
    expect((await runtime.published(partition)).map((it) => it.id)).toEqual(ids(400))
  }
  // Each batch begins where the last one ended (W2), so none is refused.
  expect(worker.fenceFailures).toEqual([])
  expect(worker.has('starting over')).toBe(false)
})

test('W3: partitions change hands under load, and no message is lost, doubled or out of order', async () => {
  await using runtime = await openRuntime()
  const first = runtime.worker()
  const posting = (async () => {
    for (const lot of range(30)) {
      await Promise.all(range(4).map((partition) => runtime.post(partition, ...range(10, lot * 10))))
      if (lot === 8) runtime.worker()
      if (lot === 15) runtime.worker()
      if (lot === 22) void first.stop()
      await runtime.untilCounted(lot * 35)
    }
  })()
  await posting
  await runtime.untilCounted(1_200)
  for (const partition of range(4)) expect(await runtime.values(partition)).toEqual(range(300))
})

test('H1: a batch that outlasts the lease loses no partition, and none is given back before it ends', async () => {
  await using runtime = await openRuntime({ partitions: 2 })
  const { pass, reached, open } = gate()
  const worker = runtime.worker({ before: pass, leaseTtlMs: 400 })
  await runtime.until(async () => (await shares(runtime)).join() === '2')
  await runtime.post(0, 1)
  await reached
  runtime.worker({ leaseTtlMs: 400 })
  await sleep(1_000)
  expect(await shares(runtime)).toEqual([2])
  open()
  await runtime.until(async () => (await shares(runtime)).join() === '1,1')
  expect(await runtime.values()).toEqual([1])
  expect(worker.fenceFailures).toEqual([])
})

test('with gatherMs, a worker pauses after a batch that is not full', async () => {
  await using runtime = await openRuntime()
  runtime.worker({ gatherMs: 600_000 })
  await runtime.post(0, 1)
  await runtime.untilCounted(1)
  await runtime.post(0, 2)
  expect(await Promise.race([runtime.untilCounted(2), sleep(300, 'gathering')])).toBe('gathering')
})

test('messages of a rush to several partitions share one commit, though the listener returns one of them', async () => {
  await using runtime = await openRuntime({ partitions: 2 })
  const sizes: number[] = []
  const id = crypto.randomUUID()
  runtime.worker({ id, before: (batch) => void sizes.push(batch.length) })
  await runtime.post(0, 1)
  await runtime.untilCounted(1)
  const clients = async () => String(await (runtime.redis as Redis).client('LIST'))
  await expect.poll(clients).toMatch(new RegExp(` name=${id}-listener .* flags=b .* cmd=xread `))
  const rush = runtime.redis.multi()
  for (const partition of [0, 1])
    for (const value of range(5)) {
      const message = envelopeOf(crypto.randomUUID(), 'Count', runtime.subject(partition), {
        value: String(value),
      })
      rush.xadd(runtime.key(partition), '*', ...toFields([message]))
    }
  await rush.exec()
  await runtime.untilCounted(11)
  expect(sizes).toEqual([1, 10])
})

test('W2: with as many partitions a full batch is no rush, and nothing read behind it is used later', async () => {
  await using runtime = await openRuntime({ partitions: 1_000 })
  const worker = runtime.worker({ leaseTtlMs: 60_000 })
  await runtime.until(async () => (await shares(runtime))[0] === 1_000)
  await runtime.until(() => worker.has('took partitions over'))
  const sent = range(4_800)
  for (let n = 0; n < sent.length; n += 1_200) {
    for (const [from, to] of [
      [n, n + 1_050],
      [n + 1_050, n + 1_200],
    ]) {
      await runtime.post(7, ...sent.slice(from, to))
      await runtime.untilCounted(to!)
    }
  }
  await worker.stop()
  expect(await runtime.values(7)).toEqual(sent)
})

test('R2: the group shows a commit soon, also the last one before a worker stops', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const { pass, reached, open } = gate()
  const worker = runtime.worker({ before: ([first]) => (first!.message.value === '20' ? pass() : undefined) })
  const lag = async () => (await groupsOf(runtime.redis, runtime.key(0)))[0]?.lag
  const startedAt = performance.now()
  for (const value of range(20)) {
    await runtime.post(0, value)
    await expect.poll(lag, { interval: 5 }).toBe(0)
  }
  // Alignment alone would show it once a second.
  expect(performance.now() - startedAt).toBeLessThan(5_000)
  await runtime.post(0, 20)
  await reached
  const stopped = worker.stop()
  open()
  await stopped
  expect(await lag()).toBe(0)
})

/** How many partitions each owner has. */
async function shares(runtime: Runtime): Promise<number[]> {
  const rows = await runtime.sql<{ count: number }[]>`
    select count(*) from mailbox where owner is not null group by owner order by 1`
  return rows.map((row) => row.count)
}

test('a stopping worker finishes its batch and gives its leases back at once', async () => {
  await using runtime = await openRuntime()
  const { pass, reached, open } = gate()
  const worker = runtime.worker({ before: pass, leaseTtlMs: 60_000 })
  await runtime.post(0, 1, 2, 3)
  await reached
  const stopped = worker.stop()
  expect(await Promise.race([stopped, sleep(50, 'still working')])).toBe('still working')
  open()
  await stopped
  expect(await runtime.values()).toEqual([1, 2, 3])
  expect(await runtime.published(0)).toHaveLength(3)
  expect(await shares(runtime)).toEqual([])

  runtime.worker()
  await runtime.post(0, 4)
  await runtime.untilCounted(4, 1_500)
  expect(await runtime.values()).toEqual([1, 2, 3, 4])
})

test('the pulse of a hanging worker is silent, and that of an idle one is not', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const { pass, reached, open } = gate()
  const { worker } = runtime.worker({ before: pass })
  await runtime.until(() => runtime.workers[0]!.has('took partitions over'))
  await sleep(700)
  expect(worker.pulse.silentMs).toBeLessThan(700)
  await runtime.post(0, 1)
  await reached
  await expect.poll(() => worker.pulse.silentMs, { timeout: 5_000 }).toBeGreaterThan(1_000)
  open()
  await expect.poll(() => worker.pulse.silentMs).toBeLessThan(700)
})

// The longest come first, because few run at a time.
test.concurrent('a redriven letter that fails again stays', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const worker = runtime.worker()
  await runtime.post(0, 'gibberish', 'no number', 1)
  await runtime.untilCounted(1)
  const before = await listLetters(runtime.sql, 10)
  expect(await redriveLetters(runtime.sql, 'all')).toBe(2)
  const reported = () => worker.said.filter((line) => line.includes('set a message aside')).length
  await runtime.until(() => reported() === 4)
  // No further redrive was requested, so several rounds leave the letters alone.
  let rounds = 0
  await runtime.until(() => ++rounds > 3)
  expect(reported()).toBe(4)
  const after = await listLetters(runtime.sql, 10)
  const facts = (letters: typeof after) =>
    letters
      .map(({ position, reason, redrive }) => ({ position, reason, redrive }))
      .sort((a, b) => (a.position < b.position ? -1 : 1))
  expect(facts(after)).toEqual(facts(before))
})

test.concurrent('two workers share the partitions, and each message is counted by one of them', async () => {
  await using runtime = await openRuntime()
  const [a, b] = [runtime.worker(), runtime.worker()]
  await runtime.until(async () => (await shares(runtime)).join() === '2,2')
  await Promise.all(range(4).map((partition) => runtime.post(partition, ...range(50))))
  await runtime.untilCounted(200)
  const tally = await runtime.tally()
  expect(tally).toHaveLength(200)
  for (const { id } of [a, b]) expect(tally.filter((it) => it.worker === id)).toHaveLength(100)
  for (const partition of range(4)) expect(await runtime.values(partition)).toEqual(range(50))
})

test.concurrent('W2: the batch that is read behind a full one is dropped when that is not committed', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const { pass, reached, open } = gate()
  await runtime.post(0, ...range(2_500))
  const worker = runtime.worker({ before: (batch) => (batch.length === 1_000 ? pass() : undefined) })
  await reached
  await runtime.untilCounted(1)
  await using lock = closing(openPostgres(runtime.postgresUrl, { schema: 'counter', max: 1 }))
  await lock`begin`
  await lock`select from mailbox for update`
  const openedAt = performance.now()
  open()
  const readSince = async () => {
    const [reader] = (await runtime.redis.xinfo('CONSUMERS', runtime.key(0), 'counter')) as unknown[][]
    return Number(reader![reader!.indexOf('idle') + 1]) < performance.now() - openedAt
  }
  await expect.poll(readSince).toBe(true)
  const admin = postgres(runtime.postgresUrl, { max: 1 })
  const cut = () => admin`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock' and query like '%with fenced%'`
  await expect.poll(async () => (await cut()).length).toBe(1)
  await admin.end()
  await lock`commit`
  await runtime.untilCounted(2_500)
  expect(await runtime.values(0)).toEqual(range(2_500))
  expect(worker.has('starting over')).toBe(true)
})

test.concurrent('the reported lag is what is not committed', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const worker = runtime.worker()
  await runtime.post(0, ...range(20))
  await runtime.untilCounted(20)
  await runtime.until(() => worker.lags.get(0) === 0)
  await worker.stop()
  await runtime.post(0, ...range(5))
  const [group] = await groupsOf(runtime.redis, runtime.key(0))
  expect(group?.lag).toBe(5)
})

test.concurrent('committed messages are trimmed from the mailbox', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  runtime.worker()
  await runtime.post(0, ...range(1_000))
  await runtime.untilCounted(1_000)
  // Redis trims whole nodes of 100 entries.
  await runtime.until(async () => (await runtime.redis.xlen(runtime.key(0))) <= 100)
})

test.concurrent('W4: a message that cannot be parsed or decided becomes a dead letter, and the partition goes on', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const worker = runtime.worker()
  const [, gibberish, , undecidable] = await runtime.post(0, 1, 'gibberish', 2, 'undecidable', 3)
  await runtime.redis.xadd(runtime.key(0), '*', 'no', 'envelope')
  await runtime.post(0, 4)
  await runtime.untilCounted(4)
  expect(await runtime.values()).toEqual([1, 2, 3, 4])
  const letters = await listLetters(runtime.sql, 10)
  expect(letters).toHaveLength(3)
  expect(letters).toContainEqual(
    expect.objectContaining({ position: gibberish, reason: 'Error: Cannot understand gibberish' }),
  )
  expect(letters).toContainEqual(
    expect.objectContaining({
      position: undecidable,
      reason: 'Cannot decide it',
      fields: ['cloudevents', expect.stringContaining('"data":{"value":"undecidable"}')],
    }),
  )
  expect(letters.find((it) => it.fields.includes('envelope'))?.reason).toContain('without cloudevents')
  expect(worker.has('set a message aside')).toBe(true)
  expect(await runtime.mailbox(0)).toMatchObject({ processed: 7, seq: 4 })
})

test.concurrent('W4: a message in a partition that is not its subject’s becomes a dead letter', async () => {
  await using runtime = await openRuntime({ partitions: 2 })
  runtime.worker()
  const stray = toFields([envelopeOf('stray', 'Count', runtime.subject(1), { value: '13' })])
  const position = await runtime.redis.xadd(runtime.key(0), '*', ...stray)
  await runtime.post(0, 1)
  await runtime.untilCounted(1)
  expect(await runtime.values()).toEqual([1])
  expect(await listLetters(runtime.sql, 10)).toMatchObject([
    { partition: 0, position, reason: `Error: ${runtime.subject(1)} belongs to partition 1` },
  ])
})

test.concurrent('W4: a message that Postgres refuses becomes a dead letter however busy other partitions are', async () => {
  await using runtime = await openRuntime({ partitions: 4 })
  runtime.worker()
  const [refused] = await runtime.post(0, 'no number')
  await runtime.post(0, 7)
  const stop = new AbortController()
  const rush = (async () => {
    while (!stop.signal.aborted) await Promise.all([1, 2, 3].map((it) => runtime.post(it, ...range(20))))
  })()
  try {
    await runtime.until(async () => (await runtime.values(0)).length === 1)
  } finally {
    stop.abort()
    await rush
  }
  expect((await listLetters(runtime.sql, 10)).map((it) => it.position)).toEqual([refused])
})

test.concurrent('W4: of 300 messages only the one that Postgres refuses becomes a dead letter', async () => {
  await using runtime = await openRuntime({ partitions: 2 })
  const lot: (number | string)[] = range(150)
  await runtime.post(0, ...lot.with(77, 'no number'))
  await runtime.post(1, ...lot)
  runtime.worker()
  await runtime.untilCounted(299)
  expect(await runtime.values(0)).toEqual(range(150).toSpliced(77, 1))
  expect(await runtime.values(1)).toEqual(range(150))
  const letters = await listLetters(runtime.sql, 10)
  expect(letters).toHaveLength(1)
  expect(letters[0]!.reason).toContain('invalid input syntax for type integer: "no number"')
  expect(await runtime.mailbox(0)).toMatchObject({ processed: 150, seq: 149 })
})

/** Messages that share an entry. @returns their positions. */
async function together(runtime: Runtime, ...values: (number | string)[]): Promise<string[]> {
  await runtime.until(() => runtime.redis.exists(batchesKey(runtime.key(0))))
  await runtime.send(0, ...values)
  const [row] = await runtime.redis.xrevrange(runtime.key(0), '+', '-', 'COUNT', 1)
  return entriesOf([row!], '0-0', false).map((it) => it.position)
}

test.concurrent('W4, R7: of an entry only the message that Postgres refuses is set aside, and can be redriven', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const { sql } = runtime
  const worker = runtime.worker()
  const positions = await together(
    runtime,
    ...(range(20) as (number | string)[]).with(7, 'no number'),
    'gibberish',
    20,
  )
  expect(positions).toHaveLength(22)
  await runtime.untilCounted(20)
  const counted = range(21).toSpliced(7, 1)
  expect(await runtime.values()).toEqual(counted)
  expect((await runtime.tally()).map((it) => it.position)).toEqual(positions.toSpliced(20, 1).toSpliced(7, 1))
  const letters = await listLetters(sql, 10)
  expect(letters.map((it) => it.position).sort()).toEqual([positions[7], positions[20]].sort())
  expect(letters.map((it) => JSON.parse(it.fields[1]!))).toMatchObject([{ length: 1 }, { length: 1 }])
  await runtime.until(() => worker.lags.get(0) === 0)
  const { position, processed } = await runtime.mailbox(0)
  expect({ position, processed }).toEqual({ position: positions[21], processed: 22 })

  await worker.stop()
  const counting = counter(sql, 'fixed')
  runtime.worker({ handler: { ...counting, parse: () => ({ value: '42' }) } })
  expect(await redriveLetters(sql, 'all')).toBe(2)
  await runtime.untilCounted(22)
  expect(await runtime.values()).toEqual([...counted, 42, 42])
  await runtime.until(async () => (await listLetters(sql, 10)).length === 0)
})

test.concurrent('W2, R7: a worker goes on in the middle of an entry, and the lag counts the rest of it', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const first = runtime.worker()
  const positions = await together(runtime, ...range(30))
  await runtime.untilCounted(30)
  await first.stop()
  // As if the others had not been committed.
  await runtime.sql`truncate tally`
  await runtime.sql`update mailbox set position = ${positions[11]!}, processed = 12`
  await runtime.redis.xgroup('SETID', runtime.key(0), 'counter', positions[11]!, 'ENTRIESREAD', 12)
  const { pass, reached, open } = gate()
  const second = runtime.worker({ before: pass })
  await reached
  const [group] = await groupsOf(runtime.redis, runtime.key(0))
  expect(group).toMatchObject({ lag: 18, position: positions[11] })
  open()
  await runtime.untilCounted(18)
  expect((await runtime.tally()).map((it) => it.position)).toEqual(positions.slice(12))
  await runtime.until(() => second.lags.get(0) === 0)
  expect(await runtime.mailbox(0)).toMatchObject({ processed: 30 })
})

test.concurrent('W1, R7: batches that end within entries lose and repeat nothing', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const { pass, reached, open } = gate()
  const worker = runtime.worker({ before: pass })
  await together(runtime, 0)
  await reached
  // Sizes of which no sum is the size of a batch.
  for (const i of range(180)) await runtime.send(0, ...range(17, 1 + i * 17))
  open()
  await runtime.untilCounted(1 + 180 * 17)
  expect(await runtime.values(0)).toEqual(range(1 + 180 * 17))
  expect(worker.said.filter((it) => it.startsWith('starting over'))).toEqual([])
  await runtime.until(() => worker.lags.get(0) === 0)
})

test.concurrent('an entry that a version before this one has set aside as a whole can be redriven', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const { sql } = runtime
  runtime.worker()
  await runtime.post(0, 0)
  await runtime.untilCounted(1)
  const before = await runtime.mailbox(0)
  const setAside = async (position: string, values: (number | string)[]) => {
    const envelopes = values.map((value) =>
      envelopeOf(`${position} ${value}`, 'Count', runtime.subject(0), { value: String(value) }),
    )
    const fields = [...toFields(envelopes), 'messages', String(values.length)]
    await sql`
      insert into dead_letter (partition, position, reason, fields, redrive)
      values (0, ${position}, 'several messages', array(select json_array_elements_text(${JSON.stringify(fields)}::text::json)), true)`
  }
  await setAside('7-3', [1, 'no number', 2, 3])
  await setAside('8-2', [4, 5, 'gibberish'])
  await runtime.untilCounted(6)
  const faults = async () =>
    (await listLetters(sql, 10)).map(({ position, reason, redrive }) => ({ position, reason, redrive }))
  await runtime.until(async () =>
    (await faults()).every((it) => !it.redrive && it.reason !== 'several messages'),
  )
  expect((await faults()).sort((a, b) => (a.position < b.position ? -1 : 1))).toMatchObject([
    { position: '7-1', reason: expect.stringContaining('no number') },
    { position: '8-2', reason: 'Error: Cannot understand gibberish' },
  ])
  expect((await runtime.tally()).map(({ position, value }) => `${position} ${value}`)).toEqual([
    `${before.position} 0`,
    ...['7-0 1', '7-2 2', '7-3 3', '8-0 4', '8-1 5'],
  ])
  const { position, processed } = await runtime.mailbox(0)
  expect({ position, processed }).toEqual({ position: before.position, processed: 1 })
})

test.concurrent('W4: two partitions whose next messages are both refused go on', async () => {
  await using runtime = await openRuntime({ partitions: 2 })
  await Promise.all(range(2).map((partition) => runtime.post(partition, 'no number', 1)))
  runtime.worker()
  await runtime.untilCounted(2)
  expect(await listLetters(runtime.sql, 10)).toHaveLength(2)
})

test.concurrent('W4: a message that is refused only once does not become a dead letter', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  let times = 0
  const refuseOnce = async () => {
    if (times++ === 0) await runtime.sql`select 'x'::int`
  }
  runtime.worker({ before: refuseOnce })
  await runtime.post(0, 1)
  await runtime.untilCounted(1)
  expect(await listLetters(runtime.sql, 10)).toEqual([])
})

test.concurrent('W4: a message that Postgres cannot store even as a letter does not hold the partition up', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  runtime.worker()
  await runtime.redis.xadd(
    runtime.key(0),
    '*',
    'a\0',
    '{"b":"\\u0000"}',
    'c',
    Buffer.from([0xed, 0xa0, 0x80]),
  )
  await runtime.post(0, 1)
  await runtime.untilCounted(1)
  expect(await listLetters(runtime.sql, 10)).toHaveLength(1)
})

test.concurrent('W4: nor does one that the encoding of the database cannot store, and it can be redriven', async () => {
  await using runtime = await openRuntime({ partitions: 1, encoding: 'LATIN1' })
  runtime.worker()
  const [refused] = await runtime.post(0, '모모')
  await runtime.post(0, 1)
  await runtime.untilCounted(1)
  const [letter] = await listLetters(runtime.sql, 10)
  expect(letter).toMatchObject({
    position: refused,
    fields: ['cloudevents', expect.stringContaining('모모')],
  })

  expect(await redriveLetters(runtime.sql, 'all')).toBe(1)
  const redriven = async () => {
    const [again] = await listLetters(runtime.sql, 10)
    return again!.at > letter!.at && !again!.redrive && again
  }
  // It is refused as before.
  expect(await runtime.until(redriven)).toMatchObject({ reason: letter!.reason, fields: letter!.fields })
})

test.concurrent('W4: nor does one that is too large, which cannot be redriven', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  runtime.worker()
  await runtime.redis.xadd(runtime.key(0), '*', 'a', 'x'.repeat(contentMax))
  await runtime.post(0, 1)
  await runtime.untilCounted(1)
  const [letter] = await listLetters(runtime.sql, 10)
  expect(letter).toMatchObject({ fields: [], reason: expect.stringContaining('too large to be kept') })
  expect(await redriveLetters(runtime.sql, 'all')).toBe(0)
})

test.concurrent('W4: nor does a letter whose content Postgres refuses in every form', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  await runtime.sql`alter table dead_letter add check (cardinality(fields) = 0)`
  runtime.worker()
  const [refused] = await runtime.post(0, 'no number')
  await runtime.post(0, 1)
  await runtime.untilCounted(1)
  expect(await listLetters(runtime.sql, 10)).toMatchObject([
    { position: refused, fields: [], reason: expect.stringContaining('cannot be kept') },
  ])
})

test.concurrent('a redriven letter whose fault was fixed has its effect once, and moves no offset', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const old = runtime.worker()
  const [position] = await runtime.post(0, 'gibberish', 1)
  await runtime.untilCounted(1)
  await old.stop()
  const before = await runtime.mailbox(0)

  const counting = counter(runtime.sql, 'fixed')
  const afterRefusals: (boolean | undefined)[] = []
  const fixed: typeof counting = {
    ...counting,
    parse: () => ({ value: '42' }),
    handle(batch, afterRefusal) {
      afterRefusals.push(afterRefusal)
      return counting.handle(batch, afterRefusal)
    },
  }
  runtime.worker({ handler: fixed })
  expect(await redriveLetters(runtime.sql, { partition: 0, position: position! })).toBe(1)
  await runtime.untilCounted(2)
  expect(await runtime.tally()).toMatchObject([{ value: 1 }, { value: 42, position, worker: 'fixed' }])
  // It is handled after messages that followed it.
  expect(afterRefusals).toEqual([true])
  await runtime.until(async () => (await listLetters(runtime.sql, 10)).length === 0)
  const { position: offset, processed } = await runtime.mailbox(0)
  expect({ offset, processed }).toEqual({ offset: before.position, processed: 2 })
  await runtime.until(async () => (await runtime.published(0)).length === 2)
  expect((await runtime.published(0)).map((it) => it.id)).toEqual(['1-0', '2-0'])
})

test.concurrent('letters are listed up to a limit, and redriven and dropped one by one or all together', async () => {
  await using runtime = await openRuntime({ partitions: 2 })
  const worker = runtime.worker()
  const [first] = await runtime.post(0, 'gibberish', 'gibberish')
  await runtime.post(1, 'gibberish')
  await runtime.until(async () => (await listLetters(runtime.sql, 10)).length === 3)
  await worker.stop()
  const [, another] = await listLetters(runtime.sql, 2)
  expect(another).toBeDefined()
  expect(await dropLetters(runtime.sql, { partition: 0, position: '1-1' })).toBe(0)
  expect(await dropLetters(runtime.sql, { partition: 0, position: first! })).toBe(1)
  expect(await redriveLetters(runtime.sql, { partition: 0, position: first! })).toBe(0)
  const limited = await redriveLike(runtime.sql, { reason: another!.reason }, 1)
  expect(limited).toMatchObject({ redriven: 1, more: true })
  expect(await redriveLike(runtime.sql, { until: new Date(0) }, 1)).toMatchObject({
    redriven: 0,
    more: false,
  })
  const { until } = limited
  expect(await redriveLike(runtime.sql, { until }, 1)).toEqual({ redriven: 1, more: false, until })
  // Set aside again, after the first call.
  await runtime.sql`update dead_letter set redrive = false, at = clock_timestamp() + interval '1 second'`
  expect(await redriveLike(runtime.sql, { until }, 1)).toEqual({ redriven: 0, more: false, until })
  expect(await redriveLike(runtime.sql, { subject: 'none' }, 1)).toMatchObject({ redriven: 0, more: false })
  expect(await dropLetters(runtime.sql, 'all')).toBe(2)
  expect(await listLetters(runtime.sql, 10)).toEqual([])
})
