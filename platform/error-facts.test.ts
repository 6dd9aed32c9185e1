import { expect, test } from 'vitest'
import { SetupError } from '../streams/setup.ts'
import { ConfigError } from './config.ts'
import { errorFacts, linesOf } from './error-facts.ts'

test('a URL or a command in an error is not shown', () => {
  const url = 'redis://:s3cret@host/1'
  const reply = Object.assign(new Error('WRONGPASS'), { command: { name: 'auth', args: ['s3cret'] } })
  const all = Object.assign(new Error('Failed to refresh slots cache.'), { lastNodeError: reply, input: url })
  const error = new AggregateError([all, `cannot reach ${url}`], `Invalid URL: '${url}'`, { cause: all })
  const shown = JSON.stringify(errorFacts(error))
  expect(shown).not.toContain('s3cret')
  expect(shown).toContain('WRONGPASS')
  expect(shown).toContain("Invalid URL: 'redis://***@host/1'")
  expect(linesOf(error)).toBe("Invalid URL: 'redis://***@host/1'")
})

test('helpful facts are shown: the code, the message of Postgres, and the place', () => {
  const error = Object.assign(new Error('refused'), {
    code: '23505',
    detail: 'Key (a) is there',
    query: 'select',
  })
  expect(errorFacts(error)).toMatchObject({
    type: 'Error',
    message: 'refused',
    code: '23505',
    detail: 'Key (a) is there',
  })
  expect(errorFacts(error)).not.toHaveProperty('query')
  expect(linesOf(error)).toBe('refused\n  23505\n  Key (a) is there')
  expect((errorFacts(error) as { stack: string }).stack).toContain(import.meta.url.slice('file://'.length))
})

test('an error that is its own cause is shown only a few times', () => {
  const error: Error = new Error('round')
  error.cause = error
  expect(JSON.stringify(errorFacts(error)).match(/"round"/g)!.length).toBeLessThan(10)
})

test('a fault that an operator can fix is one line', () => {
  expect(linesOf(new ConfigError(['A is not set', 'B is not set']))).toBe('A is not set\nB is not set')
  expect(linesOf(new SetupError('Cannot start: so'))).toBe('Cannot start: so')
})
