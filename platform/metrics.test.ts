import { expect, test } from 'vitest'
import type { Delivery } from '../streams/handler.ts'
import { createMetrics, streamsTelemetry } from './metrics.ts'

test('telemetry of the streams runtime appears in the metrics', async () => {
  const metrics = createMetrics('stock')
  const telemetry = streamsTelemetry(metrics, () => new Date())
  telemetry.batch(7)
  telemetry.committed(0.004)
  telemetry.fenceFailed(3)
  telemetry.deadLettered(2)
  telemetry.lag(3, 11)
  metrics.decided('Reserved').inc()
  metrics.notices('email', 'sent').inc()
  const text = await metrics.registry.metrics()
  for (const line of [
    'bookreservation_mailbox_batch_messages_sum{service="stock"} 7',
    'bookreservation_mailbox_commit_duration_seconds_bucket{le="0.005",service="stock"} 1',
    'bookreservation_mailbox_fence_failures_total{partition="3",service="stock"} 1',
    'bookreservation_mailbox_dead_letters_total{service="stock"} 2',
    'bookreservation_mailbox_lag_entries{partition="3",service="stock"} 11',
    'bookreservation_reservations_decided_total{outcome="Reserved",service="stock"} 1',
    'bookreservation_notices_total{channel="email",outcome="sent",service="stock"} 1',
  ])
    expect(text).toContain(line)
})

test('the age of undecided reservations grows, even while the database cannot be asked', async () => {
  const metrics = createMetrics('reservation')
  const age = async () => {
    const text = await metrics.registry.metrics()
    return Number(text.match(/^bookreservation_reservations_undecided_seconds\{.*\} (.*)$/m)![1])
  }
  expect(await age()).toBe(0)
  metrics.undecidedFor(90)
  expect(await age()).toBeGreaterThanOrEqual(90)
  metrics.undecidedFor(undefined)
  expect(await age()).toBe(0)
})

test('a released partition is no longer reported', async () => {
  const metrics = createMetrics('stock')
  metrics.lag(3).set(11)
  metrics.forgetLag(3)
  expect(await metrics.registry.metrics()).not.toContain('partition="3"')
})

test('services in one process keep their metrics apart', async () => {
  const [one, other] = [createMetrics('one'), createMetrics('other')]
  one.accepted.inc()
  expect(await other.registry.metrics()).toContain(
    'bookreservation_reservations_accepted_total{service="other"} 0',
  )
})

test('the wait in the mailbox is that of the oldest message, by one clock', async () => {
  const metrics = createMetrics('stock')
  const telemetry = streamsTelemetry(metrics, () => new Date('2026-01-01T00:00:10Z'))
  const sent = (partition: number, time: string): Delivery<unknown> => ({
    partition,
    position: '1-0',
    message: {},
    envelope: { specversion: '1.0', id: '1', source: '/', type: 'T', subject: '1', time, data: {} },
  })
  telemetry.handling([sent(1, '2026-01-01T00:00:09Z'), sent(2, '2026-01-01T00:00:07Z'), sent(3, 'soon')])
  telemetry.handling([sent(1, '2026-01-01T00:00:11Z')])
  telemetry.handling([sent(1, 'soon')])
  telemetry.handling([])
  const text = await metrics.registry.metrics()
  expect(text).toContain('bookreservation_mailbox_wait_duration_seconds_sum{service="stock"} 3')
  expect(text).toContain('bookreservation_mailbox_wait_duration_seconds_count{service="stock"} 2')
})
