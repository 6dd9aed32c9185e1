import { expect, test } from 'vitest'
import { Contract, type OpenApi } from './contract.ts'

const json = (schema: object) => ({ content: { 'application/json': { schema } } })
const document: OpenApi = {
  openapi: '3.1.0',
  info: { title: 'Shelves', version: '1' },
  paths: {
    '/shelves/{id}': {
      get: { responses: { 200: json({ $ref: '#/components/schemas/Shelf' }), 404: {} } },
    },
    '/shelves/all': { get: { responses: { 200: json({ type: 'array' }) } } },
  },
  components: {
    schemas: {
      Shelf: { type: 'object', required: ['id'], properties: { id: { type: 'integer' } } },
    },
  },
}
const contract = new Contract(document)
const answer = (status: number, body: unknown, contentType = 'application/json') => ({
  status,
  body,
  contentType,
})
const problem = (status: number, more = {}) =>
  answer(status, { type: '/problems/x', title: 'X', status, ...more }, 'application/problem+json')

test('a documented response passes', () => {
  contract.check('GET', '/shelves/7?x=1', answer(200, { id: 7 }))
  contract.check('GET', '/shelves/all', answer(200, []))
  contract.check('GET', '/shelves/7', problem(404))
})

test('an undocumented path or method may only be refused', () => {
  contract.check('GET', '/nothing', problem(404))
  contract.check('POST', '/shelves/7', problem(405))
  expect(() => contract.check('GET', '/nothing', answer(200, {}))).toThrow('knows no such call')
})

test.each([
  ['an undocumented status', 'GET', '/shelves/7', answer(201, { id: 7 }), 'does not list'],
  ['an undocumented problem', 'GET', '/shelves/7', problem(409), 'does not list'],
  ['a body of another shape', 'GET', '/shelves/7', answer(200, { id: 'seven' }), '/id must be integer'],
  ['another content type', 'GET', '/shelves/7', answer(200, 'x', 'text/plain'), 'as text/plain'],
  ['the shape of another path', 'GET', '/shelves/all', answer(200, { id: 7 }), 'must be array'],
  [
    'a refusal that is not a problem',
    'GET',
    '/shelves/7',
    answer(404, {}),
    'instead of application/problem+json',
  ],
  ['a problem with another status', 'GET', '/shelves/7', problem(404, { status: 400 }), 'says 400'],
])('%s is noticed', (_, method, path, seen, message) => {
  expect(() => contract.check(method, path, seen)).toThrow(message)
})
