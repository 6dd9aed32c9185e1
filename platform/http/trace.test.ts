import { Hono } from 'hono'
import { expect, test } from 'vitest'
import { traceFacts, traceOf } from './trace.ts'

const app = new Hono().get('/', (c) => c.text(traceOf(c) ?? 'none'))
const traced = async (traceparent?: string) =>
  (await app.request('/', { headers: traceparent ? { traceparent } : {} })).text()

test('a valid traceparent is passed on', async () => {
  const given = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  expect(await traced(given)).toBe(given)
  expect(traceFacts(given)).toEqual({
    trace_id: '4bf92f3577b34da6a3ce929d0e0e4736',
    span_id: '00f067aa0ba902b7',
  })
})

test.each([
  undefined,
  'x',
  '00-00000000000000000000000000000000-00f067aa0ba902b7-01',
  '00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01',
  '00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01',
  'ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
])('%s is not a traceparent, and none is made', async (given) => {
  expect(await traced(given)).toBe('none')
  expect(traceFacts(undefined)).toBeUndefined()
})
