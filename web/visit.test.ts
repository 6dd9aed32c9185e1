import { expect, test } from 'vitest'
import { localUrl } from './visit.ts'

test.each([
  ['/me?at=1#x', '/me?at=1#x'],
  ['/book/%2F%2Fevil.example', '/book/%2F%2Fevil.example'],
  ['', '/'],
  ['//evil.example', '/'],
  ['///evil.example', '/'],
  ['/\\evil.example', '/'],
  ['/.//evil.example', '/'],
  ['https://evil.example/x', '/'],
  ['http://localhost//evil.example', '/'],
  ['javascript:alert(1)', '/'],
  ['blob:https://evil.example/x', '/'],
  ['blob:http://localhost/x', '/'],
  ['x:https://evil.example/x', '/'],
  ['x:/me', '/'],
  ['https://[', '/'],
])('a person is led from %j to %j alone', (path, local) => {
  const { pathname, search, hash } = localUrl(path)
  expect(pathname + search + hash).toBe(local)
})
