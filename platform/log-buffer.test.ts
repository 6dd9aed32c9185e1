import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Dropped, type Level, LogBuffer, lastWordsMs } from './log-buffer.ts'

/** A reader that takes a limited number of bytes at a time, or fails. */
class Reader {
  shown = ''
  room = Number.POSITIVE_INFINITY
  fault: Error | undefined
  writes = 0

  readonly write = (bytes: Uint8Array): number => {
    this.writes += 1
    if (this.fault) throw this.fault
    const taken = Math.min(this.room, bytes.length)
    this.shown += Buffer.from(bytes.subarray(0, taken)).toString('latin1')
    return taken
  }

  get lines(): string[] {
    return Buffer.from(this.shown, 'latin1').toString('utf8').trimEnd().split('\n')
  }
}

let reader: Reader
let dropped: Dropped
let behind: Dropped[]
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate'] })
  reader = new Reader()
  dropped = {}
  behind = []
})
afterEach(() => {
  vi.useRealTimers()
})

/** Holds ten lines of the tests. */
function bufferOfTen(): LogBuffer {
  return new LogBuffer({
    outlet: reader,
    bytesMax: 10 * (128 + lineBytes),
    dropped: (level) => {
      dropped[level] = (dropped[level] ?? 0) + 1
    },
    behind: (lines) => void behind.push(lines),
  })
}
const lineBytes = 10
const line = (text: string | number) => `${String(text).padEnd(lineBytes - 1, '.')}\n`
const addAll = (buffer: LogBuffer, level: Level, texts: (string | number)[]) => {
  for (const it of texts) buffer.add(level, line(it))
}
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)
const shown = () => reader.lines.map((it) => it.replaceAll('.', ''))

test('the lines of a few turns are written together, unless one is a warning', () => {
  const buffer = bufferOfTen()
  for (const n of [1, 2, 3]) {
    addAll(buffer, 'info', [n])
    vi.advanceTimersByTime(5)
  }
  expect(reader.writes).toBe(0)
  vi.advanceTimersByTime(5)
  expect(reader.writes).toBe(1)
  addAll(buffer, 'info', [4])
  addAll(buffer, 'warn', [5])
  expect(reader.writes).toBe(1)
  vi.advanceTimersByTime(0)
  expect(shown()).toEqual(['1', '2', '3', '4', '5'])
  vi.runAllTimers()
  expect(reader.writes).toBe(2)
})

test('a fatal error and the lines before it do not wait for the end of the turn', () => {
  const buffer = bufferOfTen()
  buffer.add('info', line('info'))
  buffer.add('fatal', line('fatal'))
  expect(shown()).toEqual(['info', 'fatal'])
})

test('B2: however much is logged, the buffer stays within its limit', () => {
  reader.room = 0
  const buffer = bufferOfTen()
  for (let i = 0; i < 10_000; i++) {
    buffer.add((['debug', 'info', 'warn', 'fatal'] as const)[i % 4]!, line(i))
    expect(buffer.bytes).toBeLessThanOrEqual(1_380)
  }
  buffer.add('fatal', 'x'.repeat(10_000))
  expect(buffer.bytes).toBeLessThanOrEqual(1_380)
})

test('lines of one turn are dropped only if the reader does not take them', () => {
  const buffer = bufferOfTen()
  addAll(buffer, 'info', range(0, 1_000))
  vi.runAllTimers()
  expect(shown()).toEqual(range(0, 1_000).map(String))
  expect(dropped).toEqual({})
})

test('B3: debug goes before info, info before warn, of each the oldest; a lower line never displaces a higher', () => {
  reader.room = 0
  const buffer = bufferOfTen()
  buffer.add('fatal', line('taken'))
  addAll(buffer, 'debug', ['d1', 'd2'])
  addAll(buffer, 'info', ['i1', 'i2', 'i3'])
  addAll(buffer, 'warn', ['w1', 'w2', 'w3', 'w4'])
  addAll(buffer, 'error', ['e1', 'e2', 'e3', 'e4'])
  expect(dropped).toEqual({ debug: 2, info: 2 })
  addAll(buffer, 'debug', ['d3'])
  addAll(buffer, 'warn', ['w5', 'w6', 'w7'])
  expect(dropped).toEqual({ debug: 3, info: 3, warn: 2 })
  addAll(buffer, 'info', ['i4'])
  expect(dropped).toEqual({ debug: 3, info: 4, warn: 2 })
  reader.room = 1_000
  vi.runOnlyPendingTimers()
  expect(shown()).toEqual(['taken', 'w3', 'w4', 'e1', 'e2', 'e3', 'e4', 'w5', 'w6', 'w7'])
})

test('B4: lines arrive in the order in which they were logged, whatever their level', () => {
  const buffer = bufferOfTen()
  const levels = ['warn', 'info', 'error', 'debug', 'info', 'trace', 'warn'] as const
  for (const [i, level] of levels.entries()) buffer.add(level, line(i))
  vi.runAllTimers()
  expect(shown()).toEqual(['0', '1', '2', '3', '4', '5', '6'])
})

test('B5: when the reader is back, a line says how many lines were dropped, at most once a second', () => {
  reader.room = 0
  const buffer = bufferOfTen()
  addAll(buffer, 'info', range(0, 25))
  vi.advanceTimersByTime(60_000)
  expect(behind).toEqual([])
  reader.room = 1_000
  vi.advanceTimersByTime(20)
  reader.room = 0
  addAll(buffer, 'info', range(25, 40))
  expect(behind).toEqual([])
  reader.room = 1_000
  vi.advanceTimersByTime(1_000)
  expect(behind).toEqual([dropped])
  vi.advanceTimersByTime(60_000)
  expect(behind.length).toBe(1)
  expect(shown().length + dropped.info!).toBe(40)
})

test('B6: a line that the reader takes in pieces arrives whole, in any script', () => {
  reader.room = 3
  const buffer = bufferOfTen()
  buffer.add('info', '예약 완료 되었습니다\n')
  buffer.add('info', line('next'))
  vi.advanceTimersByTime(1_000)
  expect(reader.lines).toEqual(['예약 완료 되었습니다', 'next.....'])
})

test('a failed reader is tried again a second later, and the buffer keeps lines for it', () => {
  reader.fault = new Error('ENOSPC')
  const buffer = bufferOfTen()
  addAll(buffer, 'info', range(0, 5))
  vi.advanceTimersByTime(500)
  expect(reader.writes).toBe(1)
  reader.fault = undefined
  vi.advanceTimersByTime(600)
  expect(shown()).toEqual(['0', '1', '2', '3', '4'])
})

test('at the end all remaining lines are written at once, and those logged later too', () => {
  const buffer = bufferOfTen()
  addAll(buffer, 'info', range(0, 5))
  buffer.end()
  buffer.add('info', line('behind'))
  expect(shown()).toEqual(['0', '1', '2', '3', '4', 'behind'])
})

test('at the end an outlet can settle what it took before, with nothing left to write too', () => {
  const calls: string[] = []
  const outlet = { write: reader.write, settle: () => void calls.push(reader.shown.trim()) }
  const buffer = new LogBuffer({ outlet })
  buffer.add('fatal', line(1))
  expect(calls).toEqual([])
  buffer.end()
  buffer.add('info', line(2))
  expect(shown()).toEqual(['1', '2'])
  expect(calls.at(0)).toBe(line(1).trim())
  expect(calls.at(-1)).toBe(reader.shown.trim())
})

test('B1: at the end the wait for a stuck reader has a limit, however many lines still come', () => {
  reader.room = 0
  const buffer = bufferOfTen()
  addAll(buffer, 'info', range(0, 5))
  const at = performance.now()
  buffer.end()
  expect(performance.now() - at).toBeGreaterThanOrEqual(lastWordsMs)
  addAll(buffer, 'info', range(0, 50))
  expect(performance.now() - at).toBeLessThan(lastWordsMs + 1_000)
})

test('at the end there is no wait for a closed reader', () => {
  reader.fault = new Error('EPIPE')
  const buffer = bufferOfTen()
  addAll(buffer, 'info', range(0, 5))
  const at = performance.now()
  buffer.end()
  expect(performance.now() - at).toBeLessThan(lastWordsMs / 2)
})

test('dropped lines are reported at the end, if not before', () => {
  reader.room = 0
  const buffer = bufferOfTen()
  addAll(buffer, 'info', range(0, 25))
  reader.room = 1_000
  buffer.end()
  expect(behind).toEqual([dropped])
})
