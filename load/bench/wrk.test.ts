import { expect, test } from 'vitest'
import { parseWrk } from './wrk.ts'

/** The output of version 4.1.0. */
const printed = `Running 3s test @ http://127.0.0.1:40001
  1 threads and 256 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    52.18ms   28.02ms 412.15ms   83.12%
    Req/Sec     5.12k   801.22     6.30k    70.00%
  Latency Distribution
     50%  500.00us
     75%   61.20ms
     90%   82.60ms
     99%    1.51s
  15000 requests in 3.02s, 7.10MB read
`

test('the output of wrk is parsed: requests, rate, and latencies in milliseconds', () => {
  expect(parseWrk(`${printed}Requests/sec:   5000.00\nTransfer/sec:      2.35MB\n`, 256)).toEqual({
    ...{ sent: 15_256, wanted: 15_000, measured: 15_000, other: { unanswered: 256 } },
    ...{ perSecond: 5_000, p50Ms: 0.5, p99Ms: 1_510 },
  })
})

test('answers other than 2xx and broken connections do not count as throughput', () => {
  const faulty = `${printed}  Socket errors: connect 1, read 2, write 0, timeout 4\n  Non-2xx or 3xx responses: 3000\nRequests/sec:   5000.00\n`
  expect(parseWrk(faulty, 256)).toMatchObject({
    ...{ wanted: 12_000, perSecond: 4_000, sent: 15_263 },
    other: { unanswered: 256, 'not 2xx': 3_000, 'broken or late': 7 },
  })
})

test('the error contains an unparsable output', () => {
  expect(() => parseWrk('unable to connect', 1)).toThrow('Cannot parse the output of wrk:\nunable to connect')
})
