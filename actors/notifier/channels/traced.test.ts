import { expect, test } from 'vitest'
import type { Tracing } from '../../../platform/tracing/tracing.ts'
import { Receiver } from './receiver.ts'
import { traced } from './traced.ts'

test('a traced channel has the same capacity as the channel itself, at each moment', async () => {
  const receiver = new Receiver({ concurrent: 3, perSecond: 2, limitMs: 1_000 })
  const channel = traced({} as Tracing, {
    name: 'slack',
    get capacity() {
      return receiver.capacity
    },
    restMs: () => receiver.restMs,
    deliver: () => receiver.run(async () => ({ outcome: { type: 'sent' } })),
  })
  expect(channel.capacity).toBe(2)
  await receiver.run(async () => ({ outcome: { type: 'sent' } }))
  expect(channel.capacity).toBe(1)
})
