/** An owner that stalls for longer than its lease is replaced, and its work is refused when it wakes up (C1, L1, L3). */
import { expect, test } from 'vitest'
import { TcpProxy } from '../../tests/doubles/tcp-proxy.ts'
import { gate } from '../testing/gate.ts'
import type { RunningWorker } from '../testing/running-worker.ts'
import { openRuntime, type Runtime, range } from '../testing/runtime.ts'

const leaseTtlMs = 600

/** A worker that stalls while it handles three messages: neither its renewals nor its commits reach Postgres. */
async function stalled(runtime: Runtime, wire: TcpProxy) {
  const door = gate()
  const worker = runtime.worker({ id: 'stalled', postgresUrl: wire.url, before: door.pass, leaseTtlMs })
  await runtime.post(0, 1, 2, 3)
  await door.reached
  wire.silence()
  const wakeUp = () => {
    wire.restore()
    door.open()
  }
  return { worker, wakeUp }
}

const fencedOut = (runtime: Runtime, worker: RunningWorker) =>
  runtime.until(() => worker.has('fenced out: another worker owns the partition now'))

test('L1: an owner that is gone is replaced once its lease has expired, and no message is lost', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  await using wire = await TcpProxy.start(runtime.postgresUrl)
  const { wakeUp } = await stalled(runtime, wire)
  const { epoch } = await runtime.mailbox(0)
  const began = performance.now()
  runtime.worker({ id: 'heir' })
  await runtime.untilCounted(3)
  expect(performance.now() - began).toBeLessThan(leaseTtlMs + 2_000)
  expect(await runtime.mailbox(0)).toMatchObject({ owner: 'heir', epoch: epoch + 1 })
  expect((await runtime.tally()).map((it) => it.worker)).toEqual(['heir', 'heir', 'heir'])
  wakeUp()
})

test('L3: an owner that wakes up after it was replaced changes nothing, and logs that', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  await using wire = await TcpProxy.start(runtime.postgresUrl)
  const { worker, wakeUp } = await stalled(runtime, wire)
  runtime.worker({ id: 'heir' })
  await runtime.untilCounted(3)
  wakeUp()
  await fencedOut(runtime, worker)
  expect(worker.fenceFailures).toEqual([0])
  expect((await runtime.tally()).map((it) => it.worker)).toEqual(['heir', 'heir', 'heir'])
  await runtime.until(async () => (await runtime.published(0)).length === 3)
  expect((await runtime.published(0)).map((it) => it.value)).toEqual([1, 2, 3])

  // Its reads have not disturbed the new owner.
  await runtime.post(0, ...range(20, 4))
  await runtime.untilCounted(23)
  expect(await runtime.values()).toEqual(range(23, 1))
  expect((await runtime.mailbox(0)).owner).toBe('heir')
})

test('L3: an owner that wakes up while its successor handles the same messages changes nothing', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  await using wire = await TcpProxy.start(runtime.postgresUrl)
  const { worker, wakeUp } = await stalled(runtime, wire)
  const door = gate()
  runtime.worker({ id: 'heir', before: door.pass })
  await door.reached
  wakeUp()
  await fencedOut(runtime, worker)
  expect(await runtime.tally()).toEqual([])
  door.open()
  await runtime.untilCounted(3)
  expect(await runtime.tally()).toMatchObject([1, 2, 3].map((value) => ({ value, worker: 'heir' })))
})

test('a worker that was replaced takes its share again', async () => {
  await using runtime = await openRuntime({ partitions: 2 })
  await using wire = await TcpProxy.start(runtime.postgresUrl)
  const { wakeUp } = await stalled(runtime, wire)
  runtime.worker({ id: 'heir' })
  await runtime.untilCounted(3)
  wakeUp()
  await runtime.until(async () => {
    const owners = await Promise.all(range(2).map(async (it) => (await runtime.mailbox(it)).owner))
    return owners.sort().join() === 'heir,stalled'
  })
  await Promise.all(range(2).map((partition) => runtime.post(partition, 10)))
  await runtime.untilCounted(5)
  expect((await runtime.values()).toSorted((a, b) => a - b)).toEqual([1, 2, 3, 10, 10])
})
