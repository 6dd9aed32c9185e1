import pino from 'pino'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { BusyLines, type Line } from './busy-lines.ts'

type Written = { msg: string; lines?: number; outcomes?: Record<string, number>; id?: string }
let written: Written[]
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'performance'] })
  written = []
})
afterEach(() => {
  vi.useRealTimers()
})

function start({ perSecondMax = 10, level = 'info' } = {}) {
  const log = pino({ level, base: undefined }, { write: (line: string) => written.push(JSON.parse(line)) })
  const lines = new BusyLines({ log, perSecondMax })
  const series = lines.of('decided')
  const add = (line: Line) => series.add(line, () => log.info({ id: line.id }, 'decided'))
  return { lines, add }
}
const sums = () => written.filter((it) => it.lines !== undefined)
function single() {
  vi.advanceTimersByTime(0)
  return written.filter((it) => it.lines === undefined)
}

test('Y1: up to the limit per second, each line is written as it is', () => {
  const { add } = start()
  for (let second = 0; second < 5; second++) {
    for (let i = 0; i < 10; i++) add({ id: `${second}-${i}` })
    vi.advanceTimersByTime(1_000)
  }
  expect(single().length).toBe(50)
  expect(sums()).toEqual([])
})

test('Y2: further lines become one summary a second: count, outcomes, the longest wait and its id', () => {
  const { add } = start()
  for (let i = 0; i < 10; i++) add({ id: `${i}`, outcome: 'Reserved', waitMs: 9_000 })
  for (let i = 0; i < 70; i++) add({ id: `r${i}`, outcome: 'Reserved', waitMs: i === 33 ? 250.4 : 5 })
  for (let i = 0; i < 30; i++) add({ id: `f${i}`, outcome: 'Failed', waitMs: 7 })
  expect(single().length).toBe(10)
  expect(sums()).toEqual([])
  vi.advanceTimersByTime(1_000)
  expect(sums()).toMatchObject([
    {
      msg: 'decided, summed up',
      lines: 100,
      outcomes: { Reserved: 70, Failed: 30 },
      longestWaitMs: 250,
      example: 'r33',
    },
  ])
  vi.advanceTimersByTime(10_000)
  expect(sums().length).toBe(1)
})

test('without a known wait, the first line is the example', () => {
  const { add } = start({ perSecondMax: 0 })
  add({ id: 'one' })
  add({ id: 'two' })
  vi.advanceTimersByTime(1_000)
  expect(sums()).toMatchObject([{ lines: 2, example: 'one' }])
  expect(sums()[0]).not.toHaveProperty('longestWaitMs')
})

test('Y3: each line is written or counted once, at any rate and however late a timer is', () => {
  const { add, lines } = start()
  let added = 0
  for (let step = 0; step < 2_000; step++) {
    for (let i = 0; i < step % 7; i++) add({ id: `${added++}` })
    // In a busy process timers fire late, while the clock goes on.
    if (step % 3 === 0) vi.setSystemTime(Date.now() + 40)
    else vi.advanceTimersByTime(30)
  }
  lines.flush()
  expect(single().length + sums().reduce((sum, it) => sum + it.lines!, 0)).toBe(added)
  expect(sums().length).toBeGreaterThan(5)
})

test('Y4: a line that is only counted is not built', () => {
  const { lines } = start({ perSecondMax: 1 })
  const series = lines.of('accepted')
  let made = 0
  for (let i = 0; i < 100; i++) series.add({ id: `${i}` }, () => made++)
  vi.advanceTimersByTime(5_000)
  expect(made).toBe(1)
})

test('lines below the log level are not even counted', () => {
  const { add } = start({ level: 'warn' })
  for (let i = 0; i < 100; i++) add({ id: `${i}` })
  vi.advanceTimersByTime(5_000)
  expect(written).toEqual([])
  expect(vi.getTimerCount()).toBe(0)
})

test('Y5: lines are written in order, after the work of the turn', () => {
  const { add, lines } = start({ perSecondMax: 2 })
  const other = lines.of('accepted')
  const made: string[] = []
  add({ id: 'first' })
  other.add({ id: 'second' }, () => made.push(`second of ${single().length + 1}`))
  add({ id: 'third' })
  expect(written).toEqual([])
  lines.flush()
  expect(made).toEqual(['second of 2'])
  expect(single().map((it) => it.id)).toEqual(['first', 'third'])
})

test('series have limits of their own', () => {
  const { add, lines } = start({ perSecondMax: 1 })
  const other = lines.of('accepted')
  let made = 0
  add({ id: 'one' })
  other.add({ id: 'one' }, () => made++)
  expect(single().length + made).toBe(2)
})

test('a pending summary is written early when the process exits', () => {
  const { add, lines } = start({ perSecondMax: 1 })
  add({ id: 'one' })
  add({ id: 'two' })
  lines.flush()
  expect(sums()).toMatchObject([{ lines: 1, example: 'two' }])
})
