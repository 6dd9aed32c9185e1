import { expect, test, vi } from 'vitest'
import { TcpProxy } from '../tests/doubles/tcp-proxy.ts'
import { groupsOf } from './groups.ts'
import { Holdings, type HoldingsOptions } from './holdings.ts'
import { closePostgres, openPostgres } from './postgres.ts'
import { mailbox, openRuntime, type Runtime } from './testing/runtime.ts'
import { silent } from './testing/silent.ts'

const leaseTtlMs = 500
const ignore = () => {}

const holdingsOf = (runtime: Runtime, options: Partial<HoldingsOptions> = {}) =>
  new Holdings(
    {
      ...{ service: 'counter', id: 'first', topic: mailbox, partitions: 2, redisPrefix: runtime.prefix },
      sql: runtime.sql,
      incarnation: runtime.incarnation(),
      ...{ leaseTtlMs, eventRetentionDays: 90, telemetry: silent, handler: {} },
      log: { info: ignore, warn: ignore, error: ignore },
      ...options,
    },
    runtime.redis,
  )

test('H2: a partition is taken over with its group at the offset and every committed event in the stream', async () => {
  await using runtime = await openRuntime({ partitions: 1 })
  const [first] = await runtime.post(0, 1, 2)
  await runtime.logEvents(0, 3)
  await runtime.sql`update mailbox set position = ${first!}, processed = 1`
  await holdingsOf(runtime, { eventLog: runtime.eventLog }).takeOver(true)
  expect(await groupsOf(runtime.redis, runtime.key(0))).toMatchObject([{ position: first, lag: 1 }])
  expect(await runtime.published(0)).toHaveLength(3)
})

test('L4: the first worker that renews after an outage takes over no other worker’s partitions for one TTL', async () => {
  await using runtime = await openRuntime({ partitions: 2 })
  await using wire = await TcpProxy.start(runtime.postgresUrl)
  const sql = openPostgres(wire.url, { schema: 'counter', max: 1, hot: true })
  const holdings = holdingsOf(runtime, { sql })
  /** The partitions after a renewal; none if it failed. */
  const held = async () => {
    holdings.forget()
    await holdings.takeOver(true).catch(ignore)
    return holdings.all().map((it) => it.partition)
  }
  await runtime.sql`update mailbox set owner = 'other', lease_until = 'infinity' where partition = 1`
  expect(await held()).toEqual([0])

  wire.refuse()
  holdings.forget()
  await expect(holdings.takeOver(true)).rejects.toThrow()
  await runtime.sql`update mailbox set lease_until = '-infinity'`
  wire.restore()
  const first = await vi.waitUntil(async () => (await held()).join(), { timeout: 5_000 })
  expect(first).toBe('0')
  await expect.poll(held, { timeout: 5_000 }).toEqual([0, 1])
  await closePostgres(sql)
})
