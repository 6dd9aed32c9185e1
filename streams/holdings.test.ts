import { expect, test, vi } from 'vitest'
import { TcpProxy } from '../actors/testing/tcp-proxy.ts'
import { Holdings } from './holdings.ts'
import { closePostgres, openPostgres } from './postgres.ts'
import { silent } from './telemetry.ts'
import { mailbox, openRuntime } from './testing/runtime.ts'

const leaseTtlMs = 500
const ignore = () => {}

test('L4: whoever is back first after an outage leaves to others what they are about to renew, for a while', async () => {
  await using runtime = await openRuntime({ partitions: 2 })
  await using wire = await TcpProxy.start(runtime.postgresUrl)
  const sql = openPostgres(wire.url, { schema: 'counter', max: 1, hot: true })
  const holdings = new Holdings(
    {
      ...{ service: 'counter', id: 'first', topic: mailbox, partitions: 2, redisPrefix: runtime.prefix, sql },
      incarnation: runtime.incarnation(),
      ...{ leaseTtlMs, eventRetentionDays: 90, telemetry: silent, handler: {} },
      log: { info: ignore, warn: ignore, error: ignore },
    },
    runtime.redis,
  )
  /** What it holds after it has asked anew; nothing when it could not ask. */
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
