import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import fc from 'fast-check'
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
  ['"\\u000101012345678"', '"\\u0001010****5678"'],
  ['"\\u0001ops@example.com"', '"\\u0001o***@example.com"'],
  ['"\\ud83dops@example.com"', '"\\ud83do***@example.com"'],
  ['"\\nops@example.com"', '"\\no***@example.com"'],
  ['"\\\\ops@example.com"', '"\\\\o***@example.com"'],
  ['jose\u0301@example.com', 'j***@example.com'],
  ['𠮷田@example.com', '𠮷***@example.com'],
  ['<kim@a.example>,lee@b.example', '<k***@a.example>,l***@b.example'],
  [`${'k'.repeat(100)}@example.com`, 'k***@example.com'],
])('%s is shown as %s', (text, masked) => {
  expect(maskText(text)).toBe(masked)
})

test.each([
  '01989d5e-1c2b-8abc-8def-010123456789',
  '"trace_id":"01012345678abcdef01012345678abcd"',
  '"span_id":"0101234567801012"',
  '9788983920720',
  '2026-01-02T03:04:05.010Z',
  'position 1767323045010-0',
  '250 2.0.0 Ok: queued as 01012345678AB',
  'books@localhost',
  'redis://user@host:6379',
])('%s is not an address, and is not masked', (text) => {
  expect(maskText(text)).toBe(text)
})

test.each(['@', 'a@', '@b.cc', 'a@b.cc', '.@b.cc', 'b.', '-', '0', '+8', '\\', '\\u0001@b.cc', '\ud83d'])(
  'K1: a long text of %j is masked in linear time',
  (part) => {
    const at = process.cpuUsage()
    maskText(part.repeat(10_000))
    expect(process.cpuUsage(at).user).toBeLessThan(1_000_000)
  },
)

test('K2: a line of JSON stays JSON, whatever surrounds its addresses', () => {
  const odd = fc.constantFrom(
    '\u0001',
    '\n',
    '"',
    '\\\\',
    '\ud83d',
    '\udc00',
    '\u2028',
    'é',
    '한',
    '\0',
    'u0041',
    '😀',
  )
  const address = fc.constantFrom(
    'ops@example.com',
    '01012345678',
    '+821012345678',
    'a.b@c.example',
    '@',
    'u@x.io',
  )
  const texts = fc.array(fc.oneof(odd, address, fc.string({ unit: 'binary', maxLength: 5 })), {
    maxLength: 12,
  })
  fc.assert(
    fc.property(texts, texts, (key, value) => {
      const line = JSON.stringify({ [key.join('')]: value.join(''), list: value })
      expect(() => JSON.parse(maskText(line))).not.toThrow()
    }),
    { numRuns: 3_000 },
  )
})

test('no log reader sees the end of a line before its line feed', async () => {
  const lines = `
    const { createLog } = await import(${JSON.stringify(new URL('./log.ts', import.meta.url).href)})
    createLog('notifier', 'info').info({ alert: 'a\\u2028b\\u2029c\\u0085d' }, 'sent')`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', lines])
  expect(stdout).not.toMatch(/[\u0085\u2028\u2029]/)
  expect(JSON.parse(stdout).alert).toBe('a\u2028b\u2029c\u0085d')
})

test('no log line contains an address, in any place', async () => {
  const lines = `
    const { createLog } = await import(${JSON.stringify(new URL('./log.ts', import.meta.url).href)})
    const recipient = { email: 'reader@example.com', to: { phone: '01012345678' } }
    const err = Object.assign(new Error('550 <reader@example.com>\\n01012345678'), { response: '+821012345678' })
    const log = createLog('notifier', 'info')
    log.info(recipient, 'sent to reader@example.com')
    log.warn({ err }, 'cannot send')
    log.info(recipient, 'sent to 010-1234-5678')`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', lines])
  const written = stdout.trim().split('\n')
  expect(written.map((line) => JSON.parse(line).level)).toEqual(['info', 'warn', 'info'])
  expect(stdout).not.toMatch(/reader|12345678|1234-5678/)
  expect(stdout.match(/r\*\*\*@example\.com/g)!.length).toBeGreaterThan(3)
  expect(stdout).toContain('010****5678')
})
