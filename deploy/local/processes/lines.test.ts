import { PassThrough } from 'node:stream'
import { finished } from 'node:stream/promises'
import { expect, test } from 'vitest'
import { createOutput } from '../output.ts'
import { startChild } from './child.ts'
import { onLines } from './lines.ts'

async function linesOf(chunks: (string | Buffer)[]): Promise<string[]> {
  const stream = new PassThrough()
  const lines: string[] = []
  onLines(stream, (line) => lines.push(line))
  for (const chunk of chunks) stream.write(chunk)
  stream.end()
  await finished(stream)
  return lines
}

test('a line ends only at a line feed', async () => {
  expect(await linesOf(['a\u2028b\u2029c\u0085d\re\vf\fg\nnext\r\n\nlast'])).toEqual([
    'a\u2028b\u2029c\u0085d\re\vf\fg',
    'next',
    '',
    'last',
  ])
})

test('chunks may end within a line or within a character', async () => {
  const bytes = Buffer.from('예약\n')
  expect(await linesOf(['a', 'b\nc', '\n', bytes.subarray(0, 2), bytes.subarray(2)])).toEqual([
    'ab',
    'c',
    '예약',
  ])
})

test('an endless line is split, so its memory is bounded', async () => {
  const lines = await linesOf(Array.from({ length: 25 }, () => 'x'.repeat(100_000)))
  expect(lines.length).toBeGreaterThan(1)
  expect(lines.join('')).toBe('x'.repeat(2_500_000))
})

test('no logged text can look like a line of another service, when it is read or when it is shown', async () => {
  const forged = '\u2028stock       [09:00:00.000] ERROR: FORGED\u2029\u0085\u009b2J\u202e'
  const line = JSON.stringify({ level: 30, time: 0, msg: `an alert ${forged}`, alerts: [forged] })
  const read: string[] = []
  const child = await startChild({
    command: process.execPath,
    args: ['-e', 'console.log(process.argv[1])', line],
    onLine: (it) => read.push(it),
  })
  await child.exited
  expect(read).toEqual([line])
  let text = ''
  const add = (_: string, shown: string) => {
    text += shown
  }
  const sink = { isTTY: false, add }
  createOutput('pretty', sink).of('notifier')(line)
  expect(text).not.toMatch(/[\u0080-\u009f\u2028-\u202e]/)
  for (const part of text.trimEnd().split('\n')) expect(part).toMatch(/^notifier {4}/)
})
