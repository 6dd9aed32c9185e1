import { expect, test } from 'vitest'
import { codeOf } from './code.ts'

test('a code has six letters of the last 30 bits of the id, without letters that look like digits', () => {
  expect(codeOf('01a20646-76c0-7b29-af61-e9e400000000')).toBe('000000')
  expect(codeOf('01a20646-76c0-7b29-af61-e9e43fffffff')).toBe('ZZZZZZ')
  expect(codeOf('01a20646-76c0-7b29-af61-e9e4ffffffff')).toBe('ZZZZZZ')
  expect(codeOf('01a20646-76c0-7b29-af61-e9e400000401')).toBe('000101')
  for (let i = 0; i < 1_000; i++) expect(codeOf(crypto.randomUUID())).toMatch(/^[0-9A-HJKMNP-TV-Z]{6}$/)
})
