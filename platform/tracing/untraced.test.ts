/** The traces of requests in a system whose tracing is turned off. */
import { expect, test } from 'vitest'
import { eventually } from '../../tests/doubles/eventually.ts'
import { cancel, receive, reserve, waitFor } from '../../tests/harness/acts.ts'
import { Producer } from '../../tests/harness/producer.ts'
import { startOwnSystem } from '../../tests/harness/system.ts'

test('T4: with tracing off, the trace of a request is passed on, and no other trace is made', async (context) => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_SDK_DISABLED: 'true' }
  await using system = await startOwnSystem(context, { partitions: 1, env })
  await using producer = new Producer(system)
  const traceid = '0af7651916cd43dd8448eb211c80319c'
  const traceparent = `00-${traceid}-b7ad6b7169203331-01`
  await receive(system, 'b', 2)
  const bare = await reserve(system.reservation, 'b', 'ann', { headers: waitFor(20) })
  const traced = await reserve(system.reservation, 'b', 'ben', { headers: { ...waitFor(20), traceparent } })
  await cancel(system.reservation, bare.reservationid)

  const noticed = async () => {
    const rows = await system.sql`select reservationid, traceparent from notifier.notice`
    return rows.length === 3 && rows
  }
  const rows = await eventually(noticed)
  const stored = await system.sql`select reservationid, traceparent from reservation.reservation`
  const sent = [
    ...(await producer.messages(producer.mailboxOf('b'))),
    ...(await producer.messages(producer.eventsOf('b'))),
  ]
  const carried = [
    ...[...rows, ...stored].map((it) => [it.reservationid, it.traceparent ?? undefined]),
    ...sent.map((it) => [it.data.reservationid, it.traceparent]),
  ]
  const of = (id: string) => carried.filter(([its]) => its === id).map(([, its]) => its)
  // Two notices, a row, two commands, two events.
  expect(of(bare.reservationid)).toEqual(Array(7).fill(undefined))
  expect(of(traced.reservationid)).toEqual(Array(4).fill(traceparent))
  expect(sent.find((it) => it.type === 'CopiesReceived')!.traceparent).toBeUndefined()
  // Identity is off too, and leaves no trace either.
  expect(sent.filter((it) => 'authtype' in it || 'authid' in it)).toEqual([])

  const lines = await eventually(async () => {
    const found = system
      .tail()
      .split('\n')
      .filter((it) => it.includes('trace_id'))
    return found.length >= 4 && found
  })
  for (const line of lines) expect(line).toContain(`"trace_id":"${traceid}","span_id":"b7ad6b7169203331"`)
})
