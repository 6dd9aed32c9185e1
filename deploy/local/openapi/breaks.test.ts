import { expect, test } from 'vitest'
import { breaksOf, type Document } from './breaks.ts'

const document = {
  paths: {
    '/books': {
      post: {
        operationId: 'addBook',
        parameters: [{ name: 'prefer', in: 'header', schema: { type: 'string' } }],
        requestBody: {
          required: true,
          content: { 'application/json': { schema: { $ref: '#/components/schemas/NewBook' } } },
        },
        responses: {
          201: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Book' } } } },
          400: { $ref: '#/components/responses/BadRequest' },
        },
      },
      get: { responses: { 200: {} } },
    },
  },
  components: {
    schemas: {
      NewBook: {
        type: 'object',
        required: ['id'],
        properties: { id: { type: 'string' }, qty: { type: ['integer', 'null'] } },
      },
      Book: {
        type: 'object',
        required: ['id', 'status'],
        properties: {
          id: { type: 'string' },
          status: { type: 'string', enum: ['Ordered', 'Received'] },
          tags: { type: 'array', items: { type: 'string' } },
        },
      },
    },
    responses: { BadRequest: { content: { 'application/problem+json': { schema: { type: 'object' } } } } },
  },
} satisfies Document

// biome-ignore lint/suspicious/noExplicitAny: a change may leave the type.
function changed(change: (document: any) => void): string[] {
  const after = structuredClone(document)
  change(after)
  return breaksOf(document, after)
}

test.each<[string, Parameters<typeof changed>[0], string]>([
  ['a call that is gone', (it) => delete it.paths['/books'].get, 'GET /books is gone'],
  [
    'another operationId',
    (it) => (it.paths['/books'].post.operationId = 'add'),
    'operationId addBook is gone',
  ],
  ['an answer that is gone', (it) => delete it.paths['/books'].post.responses[400], 'answer 400 is gone'],
  [
    'another content type',
    (it) => (it.components.responses.BadRequest.content = {}),
    '400 as application/problem+json is gone',
  ],
  ['a parameter that is gone', (it) => (it.paths['/books'].post.parameters = []), 'parameter prefer is gone'],
  [
    'a parameter that is required',
    (it) => (it.paths['/books'].post.parameters[0].required = true),
    'parameter prefer is now required',
  ],
  [
    'a field that a request must have',
    (it) => it.components.schemas.NewBook.required.push('qty'),
    'the body/qty is now required',
  ],
  [
    'a type that a request may not have',
    (it) => (it.components.schemas.NewBook.properties.qty.type = 'integer'),
    'the body/qty may no longer be null',
  ],
  ['a field that an answer lacks', (it) => delete it.components.schemas.Book.properties.id, '201/id is gone'],
  [
    'a field that an answer may lack',
    (it) => it.components.schemas.Book.required.pop(),
    '201/status may now be absent',
  ],
  [
    'a value that may be null',
    (it) => (it.components.schemas.Book.properties.id.type = ['string', 'null']),
    '201/id may now be null',
  ],
  [
    'items of another type',
    (it) => (it.components.schemas.Book.properties.tags.items.type = 'integer'),
    '201/tags[] may now be integer',
  ],
  [
    'a value of an enum that is gone',
    (it) => (it.components.schemas.Book.properties.status.enum = ['received', 'Ordered']),
    '201/status is never Received any more',
  ],
])('%s breaks clients', (_, change, found) => {
  const [only, ...more] = changed(change)
  expect(only).toContain(found)
  expect(more).toEqual([])
})

test('additions break no client', () => {
  const found = changed(({ paths, components: { schemas } }) => {
    paths['/shelves'] = { get: { responses: { 200: {} } } }
    paths['/books'].post.responses[409] = {}
    paths['/books'].post.parameters.push({ name: 'trace', in: 'header' })
    schemas.NewBook.properties.title = { type: 'string' }
    schemas.NewBook.properties.id.type = ['string', 'integer']
    schemas.Book.properties.title = { type: 'string' }
    schemas.Book.properties.status.enum.push('Lost')
    schemas.Book.required.push('tags')
  })
  expect(found).toEqual([])
})
