import { expect, test } from 'vitest'
import { Router } from './router.ts'

const handlersOf = (router: Router<string>, method: string, path: string) =>
  router.match(method, path)[0].map(([handler]) => handler)

test('a path without parameters is searched once', () => {
  const router = new Router<string>()
  router.add('GET', '/books', 'list')
  router.add('GET', '/books/:id', 'get')
  expect(handlersOf(router, 'GET', '/books')).toEqual(['list'])
  expect(router.match('GET', '/books')).toBe(router.match('GET', '/books'))
  expect(router.match('GET', '/books/1')).not.toBe(router.match('GET', '/books/1'))
  expect(router.match('GET', '/books/1')[0]).toEqual([['get', { id: '1' }]])
})

test('each method of a path has its own handler, and others have none', () => {
  const router = new Router<string>()
  router.add('GET', '/books', 'list')
  router.add('POST', '/books', 'add')
  for (let round = 0; round < 2; round++) {
    expect(handlersOf(router, 'GET', '/books')).toEqual(['list'])
    expect(handlersOf(router, 'POST', '/books')).toEqual(['add'])
    expect(handlersOf(router, 'PUT', '/books')).toEqual([])
    expect(handlersOf(router, 'GET', '/books/')).toEqual([])
  }
})

test('a handler that is added later is found, also one for all paths', () => {
  const router = new Router<string>()
  router.add('GET', '/books', 'list')
  expect(handlersOf(router, 'GET', '/books')).toEqual(['list'])
  router.add('ALL', '*', 'cors')
  expect(handlersOf(router, 'GET', '/books')).toEqual(['list', 'cors'])
  expect(handlersOf(router, 'OPTIONS', '/books')).toEqual(['cors'])
})
