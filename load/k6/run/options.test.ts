import { expect, test } from 'vitest'
import { list, readOptions, scriptNames } from './options.ts'

test('a script runs on a private system unless both URLs of another are given', () => {
  expect(readOptions(['smoke'], {})).toMatchObject({ script: 'smoke', system: undefined, runtime: 'node' })
  const addresses = ['--reservation', 'http://a:1', '--stock', 'http://a:2']
  expect(readOptions(['soak', ...addresses], {})).toMatchObject({
    system: { reservationUrl: 'http://a:1', stockUrl: 'http://a:2' },
  })
  const env = { RESERVATION_URL: 'http://b:1', STOCK_URL: 'http://b:2' }
  expect(readOptions(['soak'], env)).toMatchObject({ system: { reservationUrl: 'http://b:1' } })
  expect(() => readOptions(['soak', '--stock', 'http://a:2'], {})).toThrow('both')
})

test('the error of an invalid option names the valid values', () => {
  expect(() => readOptions([], {})).toThrow('smoke, reserve, last-copy')
  expect(() => readOptions(['smoke', 'soak'], {})).toThrow('Name one script')
  expect(() => readOptions(['smoke', '--seconds', '0'], {})).toThrow('--seconds must be a number above 0: 0')
  expect(() => readOptions(['smoke', '--runtime', 'bun'], {})).toThrow('--runtime must be node or deno')
})

test('every script is listed with its question', () => {
  expect(readOptions(['--list'], {})).toBe(list)
  for (const name of scriptNames) expect(list).toMatch(new RegExp(`^ {2}${name} .+\\?$`, 'm'))
})
