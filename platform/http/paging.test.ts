import { afterAll, beforeAll, expect, test } from 'vitest'
import { decodeAfter, encodeAfter } from './paging.ts'
import { type Bench, serveBench } from './testing/bench.ts'

let bench: Bench
beforeAll(async () => {
  bench = await serveBench()
})
afterAll(() => bench[Symbol.asyncDispose]())

type Page = {
  _embedded: { things: { id: string }[] }
  _links: { self: { href: string }; next?: { href: string } }
}
const get = async (path: string): Promise<Page> => (await fetch(bench.url + path)).json() as Promise<Page>

test('following next visits every item once', async () => {
  const seen: string[] = []
  for (let next: string | undefined = '/things?limit=2'; next; ) {
    const page: Page = await get(next)
    seen.push(...page._embedded.things.map(({ id }) => id))
    next = page._links.next?.href
  }
  expect(seen).toEqual(['0', '1', '2', '3', '4'])
})

test('links keep the other query parameters', async () => {
  const { _links } = await get('/things?limit=2&note=a%26b')
  expect(_links.self.href).toBe('/things?limit=2&note=a%26b')
  const next = new URL(_links.next!.href, bench.url)
  expect(next.searchParams.get('note')).toBe('a&b')
  expect(next.searchParams.get('limit')).toBe('2')
})

test('the last page has no next', async () => {
  expect((await get('/things'))._links.next).toBeUndefined()
})

test('a sort key survives the round trip to the client', () => {
  const key = ['2026-01-01T00:00:00.000001Z', '예약', '']
  expect(decodeAfter(encodeAfter(key), 3)).toEqual(key)
})

test.each([
  ['too few parts', encodeAfter(['a'])],
  ['parts that are not strings', Buffer.from('[1,2]').toString('base64url')],
  ['a NUL', encodeAfter(['a\0', 'b'])],
  ['no JSON', 'AAAA'],
  ['nothing', ''],
])('an after with %s is refused', (_name, after) => {
  expect(() => decodeAfter(after, 2)).toThrow('Invalid request')
})
