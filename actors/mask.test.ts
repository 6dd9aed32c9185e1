import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { maskText } from './mask.ts'

test.each([
  ['reader@example.com', 'r***@example.com'],
  ['<first.last+tag@mail.example.co.kr>', '<f***@mail.example.co.kr>'],
  ['독자@도서관.한국', '독***@도서관.한국'],
  [
    '550 5.1.1 <a@b.example>: unknown, try b@b.example',
    '550 5.1.1 <a***@b.example>: unknown, try b***@b.example',
  ],
  ['01012345678', '010****5678'],
  ['010-1234-5678', '010-****-5678'],
  ['+821012345678', '+821*****5678'],
  ['first line\\n01012345678', 'first line\\n010****5678'],
  ['"to":"01012345678"', '"to":"010****5678"'],
])('%s is shown as %s', (text, masked) => {
  expect(maskText(text)).toBe(masked)
})

test.each([
  '01989d5e-1c2b-8abc-8def-010123456789',
  'traceid 01012345678abcdef01012345678abcd',
  '9788983920720',
  '2026-01-02T03:04:05.010Z',
  'position 1767323045010-0',
  '250 2.0.0 Ok: queued as 01012345678AB',
  'books@localhost',
  'redis://user@host:6379',
])('%s is no address, and stays', (text) => {
  expect(maskText(text)).toBe(text)
})

test('no line of a log holds an address, wherever it stands', async () => {
  const lines = `
    const { createLog, createBatchLog } = await import(${JSON.stringify(new URL('./log.ts', import.meta.url).href)})
    const told = { email: 'reader@example.com', to: { phone: '01012345678' } }
    const err = Object.assign(new Error('550 <reader@example.com>\\n01012345678'), { response: '+821012345678' })
    createLog('notifier', 'info').info(told, 'told reader@example.com')
    createLog('notifier', 'info').warn({ err }, 'cannot tell')
    const { log, flush } = createBatchLog('notifier', 'info')
    log.info(told, 'told 010-1234-5678')
    flush()`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', lines])
  const written = stdout.trim().split('\n')
  expect(written.map((line) => JSON.parse(line).level)).toEqual(['info', 'warn', 'info'])
  expect(stdout).not.toMatch(/reader|12345678|1234-5678/)
  expect(stdout.match(/r\*\*\*@example\.com/g)!.length).toBeGreaterThan(3)
  expect(stdout).toContain('010****5678')
})
