/** Any invalid request gets an error that names the fault, and changes nothing. */
import { randomUUID } from 'node:crypto'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { ServiceName } from '../platform/config.ts'
import { receive, reserveAndWait } from './harness/acts.ts'
import type { Ask } from './harness/client.ts'
import { useSystem } from './harness/system.ts'

const system = useSystem()

let reservationid: string
let before: unknown
/** Every row that a request may change. */
const everything = () => system().sql`
  select
    (select json_agg(r order by bookid) from stock.book r) as books,
    (select json_agg(r order by purchaseid) from stock.purchase r) as purchases,
    (select json_agg(r order by date) from stock.closing_day r) as closing_days,
    (select json_agg(r order by reservationid) from stock.hold r) as holds,
    (select json_agg(r order by reservationid) from reservation.reservation r) as reservations,
    (select json_agg(r order by userid) from reservation.standing r) as standings,
    (select json_agg(r order by userid) from notifier.customer r) as customers`
beforeAll(async () => {
  await receive(system(), 'known', 3)
  reservationid = (await reserveAndWait(system().reservation, 'known', 'ann')).reservationid
  before = await everything()
})
afterEach(async () => {
  expect(await everything()).toEqual(before)
})

const long = 'x'.repeat(70_000)
/** A NUL and half of a surrogate pair, as JSON escapes. */
const nul = '"\\u0000"'
const lone = '"\\ud800"'

type Route = {
  service: ServiceName
  method: string
  path: string
  valid: Record<string, unknown>
  also?: string[]
}
const posts: Route[] = [
  {
    service: 'stock',
    method: 'POST',
    path: '/stocks',
    valid: { bookid: 'new', qty: 1, title: 'T', author: 'A', isbn: 'I' },
    also: ['purchaseid'],
  },
  { service: 'stock', method: 'POST', path: '/purchases', valid: { bookid: 'known', qty: 1 } },
  {
    service: 'reservation',
    method: 'POST',
    path: '/reservations',
    valid: { bookid: 'known', userid: 'ann' },
    also: ['wait'],
  },
  { service: 'stock', method: 'PUT', path: '/closing-days/2030-01-01', valid: { note: 'New Year' } },
  {
    service: 'stock',
    method: 'PUT',
    path: '/stocks/known/rules',
    valid: {
      queueMax: 1,
      queuePerCopy: null,
      pickupDays: 1,
      pullStep: true,
      onePerBook: true,
      waitDays: 1,
      lend: true,
    },
  },
  {
    service: 'stock',
    method: 'POST',
    path: '/withdrawals',
    valid: { bookid: 'known', qty: 1, reason: 'Damaged', evenHeld: true },
  },
  { service: 'stock', method: 'POST', path: '/purchase-requests/known/decline', valid: { note: 'No' } },
  {
    service: 'notifier',
    method: 'PUT',
    path: '/customers/ann',
    valid: {
      email: 'ann@example.com',
      webhook: 'http://127.0.0.1:9/hook',
      phone: '+821012345678',
      channels: ['sms', 'email'],
      locale: 'en',
    },
  },
]
const bodied: Route[] = [
  ...posts,
  {
    service: 'reservation',
    method: 'PATCH',
    path: '/reservations/{known}',
    valid: { status: 'Canceled' },
    also: ['cause', 'note'],
  },
  {
    service: 'stock',
    method: 'PATCH',
    path: '/holds/{known}',
    valid: { status: 'Collected' },
    also: ['userid', 'cause', 'pickupBy'],
  },
]

bodied.push({
  service: 'stock',
  method: 'POST',
  path: '/dead-letters/redrive',
  valid: { type: 'None' },
  also: ['partition', 'until', 'all'],
})

const pathOf = (path: string) => path.replace('{known}', reservationid)

async function refused(
  route: Pick<Route, 'service' | 'method' | 'path'>,
  ask: Ask,
  ...statuses: number[]
): Promise<void> {
  const { status, body } = await system()[route.service].ask(route.method, pathOf(route.path), ask)
  expect(statuses, `answered ${status}: ${JSON.stringify(body)}`).toContain(status)
}

/** Invalid values for each field. */
const wrong: Record<string, string[]> = {
  qty: [
    '-1',
    '"-1"',
    '1.5',
    '"1.5"',
    '1e40',
    '"1e3"',
    '9007199254740993',
    '2147483648000',
    '"x"',
    '""',
    '" "',
    'null',
    'true',
    '[]',
    '{}',
    nul,
  ],
  bookid: [
    '""',
    '" "',
    '"a b"',
    '"책"',
    '1.5',
    'null',
    'true',
    '[]',
    '{}',
    nul,
    lone,
    `"${'x'.repeat(129)}"`,
  ],
  userid: ['""', '" "', '"a b"', '42', 'null', 'false', '["ann"]', '{}', nul, lone, `"${'x'.repeat(129)}"`],
  title: ['1', 'null', '[]', '{}', nul, lone, `"${'x'.repeat(501)}"`],
  author: ['1', '{}', nul, lone],
  isbn: ['true', '[]', nul, lone],
  note: ['1', 'null', '[]', '{}', nul, lone, `"${'x'.repeat(201)}"`],
  purchaseid: ['""', '"1"', '7', '{}', nul, '"zzzzzzzz-zzzz-4zzz-8zzz-zzzzzzzzzzzz"'],
  reason: ['""', '"damaged"', '0', 'null', 'true', '[]', '{}', nul, lone],
  cause: ['""', '"Late"', '0', 'null', 'true', '[]', '{}', nul, lone],
  pickupBy: [
    '""',
    '"tomorrow"',
    '"2030-01-01"',
    '"2030-02-30T00:00:00Z"',
    '0',
    'null',
    '[]',
    '{}',
    nul,
    lone,
  ],
  evenHeld: ['0', '"true"', 'null', '[]', '{}', nul],
  queueMax: ['-1', '1.5', '"1"', '1000001', '1e40', 'null', 'true', '[]', '{}', nul],
  queuePerCopy: ['0', '-1', '1.5', '"1"', '1001', 'true', '[]', '{}', nul],
  pickupDays: ['0', '-1', '1.5', '"1"', '366', 'true', '[]', '{}', nul],
  pullStep: ['0', '"true"', 'null', '[]', '{}', nul],
  onePerBook: ['0', '"true"', 'null', '[]', '{}', nul],
  waitDays: ['0', '-1', '1.5', '"1"', '3651', 'true', '[]', '{}', nul],
  lend: ['0', '"true"', 'null', '[]', '{}', nul],
  type: ['""', '1', 'null', 'true', '[]', '{}', nul, lone],
  partition: ['-1', '1.5', '"1"', '1024', '1e40', 'null', 'true', '[]', '{}', nul],
  until: ['""', '"tomorrow"', '"2030-01-01"', '"1999-12-31T00:00:00Z"', '0', 'null', '[]', '{}', nul, lone],
  all: ['0', '"true"', 'null', 'false', '[]', '{}', nul],
  wait: ['0', '"false"', 'null', '[]', '{}', nul],
  status: ['""', '"Reserved"', '"canceled "', '0', 'null', '[]', '{}', nul, lone],
  email: ['"x"', '"a@b\\r\\nBcc: c@d.e"', '1', '[]', '{}', nul, lone],
  webhook: ['"x"', '"file:///etc/passwd"', '"javascript:alert(1)"', '1', '[]', '{}', nul, lone],
  phone: ['"x"', '"010-1234-5678"', '"+0"', '821012345678', '[]', '{}', nul, lone],
  channels: ['"sms"', '1', '{}', '["sms","sms"]', nul],
  locale: ['"x-nowhere"', '1', '[]', '{}', nul, lone],
}
const required = ['qty', 'bookid', 'userid', 'status', 'reason']

describe.each(bodied)('$method $path', (route) => {
  const body = (changed: string, value: string) => {
    const rest = Object.entries(route.valid).filter(([name]) => name !== changed)
    const fields = rest.map(([name, its]) => `"${name}":${JSON.stringify(its)}`)
    return `{${[...fields, `"${changed}":${value}`].join(',')}}`
  }
  const names = [...Object.keys(route.valid), ...(route.also ?? [])]
  const cases = names.flatMap((name) => (wrong[name] ?? []).map((value) => ({ name, value })))

  test('refuses each field with each wrong value, and names the field', async () => {
    for (const { name, value } of cases) {
      const raw = body(name, value)
      const answer = await system()[route.service].ask<{ errors?: { pointer?: string }[] }>(
        route.method,
        pathOf(route.path),
        { raw },
      )
      expect(answer.status, `${raw.slice(0, 300)} is answered ${JSON.stringify(answer.body)}`).toBe(400)
      const pointers = answer.body.errors?.map(({ pointer }) => pointer)
      expect(pointers, `${raw.slice(0, 300)} is answered ${JSON.stringify(answer.body)}`).toContain(
        `/${name}`,
      )
    }
  })

  test('refuses a body that lacks a field', async () => {
    for (const missing of Object.keys(route.valid).filter((name) => required.includes(name))) {
      const { [missing]: _, ...rest } = route.valid
      await refused(route, { json: rest }, 400)
    }
  })

  test.each([
    '',
    ' ',
    '{',
    '{"bookid":',
    "{'bookid': 1}",
    '\u0000',
    '{"a":1}{"b":2}',
    'null',
    '[]',
    '"text"',
    '1',
  ])('refuses the body %j', (raw) => refused(route, { raw }, 400))

  test('refuses bytes that are not UTF-8', () =>
    refused(route, { raw: new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]) }, 400))

  test('refuses a body above 64 KiB, with its length given or not', async () => {
    const raw = JSON.stringify({ ...route.valid, padding: long })
    await refused(route, { raw }, 413)
    await refused(route, { raw: new Blob([raw]).stream() }, 413)
  })

  test.each(['text/plain', 'application/xml', 'application/x-www-form-urlencoded', 'garbage'])(
    'refuses the content type %s',
    (type) => refused(route, { json: route.valid, headers: { 'content-type': type } }, 415),
  )

  test('refuses a body nested ten thousand levels deep', () =>
    refused(route, { raw: `${'['.repeat(10_000)}${']'.repeat(10_000)}` }, 400))
})

describe.each(posts.filter(({ method }) => method === 'POST'))('$method $path', (route) => {
  test.each(['', 'x'.repeat(256), 'a\tb', 'sch\u00fcssel'])('refuses the Idempotency-Key %j', (key) =>
    refused(route, { json: route.valid, headers: { 'idempotency-key': key } }, 400),
  )
})

describe('Prefer', () => {
  test.each([
    'wait',
    'wait=',
    'wait=-1',
    'wait=x',
    'wait=1.5',
    'wait=99999999999',
    '=',
    ';;;,,,',
    'respond-async',
  ])('with a meaningless value (%j) is ignored or refused, and never a 5xx', async (prefer) => {
    // The body is invalid too, so that nothing is accepted.
    const ask = { json: { bookid: 'known' }, headers: { prefer } }
    await refused({ service: 'reservation', method: 'POST', path: '/reservations' }, ask, 400)
  })
})

describe('ids in a path', () => {
  const unknown: [ServiceName, string, string][] = [
    ['reservation', 'GET', `/reservations/${randomUUID()}`],
    ['reservation', 'GET', `/reservations/${randomUUID()}/events`],
    ['stock', 'GET', '/stocks/nowhere'],
    ['stock', 'GET', `/purchases/${randomUUID()}`],
    ['stock', 'GET', `/holds/${randomUUID()}`],
    ['stock', 'GET', '/closing-days/2030-01-01'],
    ['stock', 'DELETE', '/closing-days/2030-01-01'],
    ['stock', 'GET', '/dead-letters/0-1-0'],
    ['stock', 'DELETE', '/dead-letters/0-1-0'],
    ['stock', 'POST', '/dead-letters/0-1-0/redrive'],
    ['notifier', 'GET', '/customers/nobody'],
    ['notifier', 'GET', `/notices/${randomUUID()}`],
    ['reservation', 'GET', '/nothing'],
    ['stock', 'POST', '/stocks/known/nothing'],
  ]
  test.each(unknown)('%s answers 404 to %s %s', (service, method, path) =>
    refused({ service, method, path }, {}, 404),
  )

  test('a reservation that does not exist cannot be canceled', () =>
    refused(
      { service: 'reservation', method: 'PATCH', path: `/reservations/${randomUUID()}` },
      { json: { status: 'Canceled' } },
      404,
    ))

  test('the hold of a reservation that does not exist cannot be changed', () =>
    refused(
      { service: 'stock', method: 'PATCH', path: `/holds/${randomUUID()}` },
      { json: { status: 'Ready' } },
      404,
    ))

  test('a book that does not exist has no rules, and no copies to withdraw', async () => {
    await refused({ service: 'stock', method: 'PUT', path: '/stocks/nowhere/rules' }, { json: {} }, 404)
    const json = { bookid: 'nowhere', qty: 1, reason: 'Lost' }
    await refused({ service: 'stock', method: 'POST', path: '/withdrawals' }, { json }, 404)
  })

  const malformed = [
    'x',
    '1',
    '%00',
    '%ff',
    '%ed%a0%80',
    `${'f'.repeat(400)}`,
    "'; drop table book; --",
    '%2e%2e%2f',
  ]
  const places: [ServiceName, string, string][] = [
    ['reservation', 'GET', '/books/{id}'],
    ['reservation', 'GET', '/reservations/{id}'],
    ['reservation', 'PATCH', '/reservations/{id}'],
    ['reservation', 'GET', '/reservations/{id}/events'],
    ['stock', 'GET', '/stocks/{id}'],
    ['stock', 'GET', '/stocks/{id}/movements'],
    ['stock', 'GET', '/purchases/{id}'],
    ['stock', 'GET', '/stocks/{id}/queue'],
    ['stock', 'PUT', '/stocks/{id}/rules'],
    ['stock', 'POST', '/purchase-requests/{id}/decline'],
    ['stock', 'GET', '/holds/{id}'],
    ['stock', 'PATCH', '/holds/{id}'],
    ['stock', 'GET', '/closing-days/{id}'],
    ['stock', 'PUT', '/closing-days/{id}'],
    ['stock', 'DELETE', '/closing-days/{id}'],
    ['stock', 'GET', '/dead-letters/{id}'],
    ['stock', 'DELETE', '/dead-letters/{id}'],
    ['stock', 'POST', '/dead-letters/{id}/redrive'],
    ['notifier', 'GET', '/customers/{id}'],
    ['notifier', 'PUT', '/customers/{id}'],
    ['notifier', 'DELETE', '/customers/{id}'],
    ['notifier', 'GET', '/customers/{id}/export'],
    ['reservation', 'DELETE', '/standings/{id}'],
    ['reservation', 'GET', '/standings/{id}/export'],
    ['notifier', 'GET', '/notices/{id}'],
    ['notifier', 'PATCH', '/notices/{id}'],
  ]
  test.each(places)('%s refuses malformed ids at %s %s', async (service, method, place) => {
    // Ids of customers and books are any printable text, so only invalid text is refused there.
    const anyText = /books|stocks|customers|standings|purchase-requests/.test(place)
    for (const id of anyText ? malformed.filter((it) => !/^(x|1|'.*|%2e.*)$/.test(it)) : malformed) {
      const path = place.replace('{id}', id.startsWith('%') ? id : encodeURIComponent(id))
      const json =
        method === 'PATCH'
          ? { status: { notifier: 'Pending', reservation: 'Canceled', stock: 'Ready' }[service] }
          : method === 'PUT'
            ? { locale: 'en' }
            : method === 'POST'
              ? {}
              : undefined
      await refused({ service, method, path }, { json }, 400, 404)
    }
  })
})

describe('queries', () => {
  const collections: [ServiceName, string][] = [
    ['reservation', '/books'],
    ['reservation', '/reservations'],
    ['stock', '/stocks'],
    ['stock', '/stocks/known/movements'],
    ['stock', '/stocks/known/queue'],
    ['stock', '/tasks?kind=pull'],
    ['stock', '/purchases'],
    ['stock', '/purchase-requests'],
    ['stock', '/closing-days'],
    ['notifier', '/notices'],
    ['notifier', '/alerts'],
    ['reservation', '/dead-letters'],
    ['stock', '/dead-letters'],
  ]
  const garbage = [
    'x',
    '%00',
    'W10',
    btoa('["a","b","c","d"]'),
    btoa('{}'),
    btoa('[null]'),
    btoa('["\u0000"]'),
  ]
  const queries = [
    ...['0', '-1', '201', '1.5', 'x', '', '1e2', '99999999999999999999'].map((limit) => `limit=${limit}`),
    ...garbage.map((after) => `after=${encodeURIComponent(after).replace('%2500', '%00')}`),
  ]
  test.each(collections)('%s refuses a bad page of %s', async (service, path) => {
    const and = path.includes('?') ? '&' : '?'
    for (const query of queries)
      await refused({ service, method: 'GET', path: `${path}${and}${query}` }, {}, 400)
  })

  const filters: [ServiceName, string][] = [
    ['reservation', '/reservations?status=Nonsense'],
    ['reservation', '/reservations?userid=%00'],
    ['reservation', '/reservations?bookid=a%20b'],
    ['reservation', '/books?q=%00'],
    ['reservation', '/books?available=maybe'],
    ['stock', '/tasks'],
    ['stock', '/tasks?kind=waiting'],
    ['stock', '/tasks?kind=pull&bookid=a%20b'],
    ['stock', '/tasks?kind=pull&ending=x'],
    ['stock', `/tasks?kind=pull&after=${btoa('["a","b"]')}`],
    ['stock', `/tasks?kind=pull&after=${btoa('["2026-12-25 02:40:10+00","b"]')}`],
    ['stock', `/stocks/known/queue?after=${btoa('["a"]')}`],
    ['stock', '/closing-days?from=2027-02-29'],
    ['stock', '/closing-days?from=0000-01-01'],
    ['stock', `/closing-days?after=${btoa('["2027-02-29"]')}`],
    ['stock', '/audit'],
    ['stock', '/audit?reason=x'],
    ['stock', '/audit?reason=monthly&from=2027-02-29'],
    ['notifier', '/notices?status=Nonsense'],
    ['notifier', '/notices?userid=%00'],
  ]
  test.each(filters)('%s refuses %s', (service, path) => refused({ service, method: 'GET', path }, {}, 400))

  test('SQL syntax in a search is plain text', async () => {
    const q = encodeURIComponent("%_'; drop table book; --\\")
    const { status, body } = await system().reservation.get<{ _embedded: { books: [] } }>(`/books?q=${q}`)
    expect(status).toBe(200)
    expect(body._embedded.books).toEqual([])
  })
})

describe('methods', () => {
  const paths: [ServiceName, string, string[]][] = [
    ['reservation', '/books', ['POST', 'PUT', 'PATCH', 'DELETE']],
    ['reservation', '/books/1', ['POST', 'PUT', 'PATCH', 'DELETE']],
    ['reservation', '/reservations', ['PUT', 'PATCH', 'DELETE']],
    ['reservation', '/reservations/{known}', ['POST', 'PUT', 'DELETE']],
    ['reservation', '/standings/ann', ['POST', 'PUT', 'PATCH']],
    ['reservation', '/reservations/events', ['POST', 'PUT', 'PATCH', 'DELETE']],
    ['stock', '/dead-letters/redrive', ['GET', 'PUT', 'PATCH', 'DELETE']],
    ['reservation', '/standings/ann/export', ['POST', 'PUT', 'PATCH', 'DELETE']],
    ['notifier', '/customers/ann/export', ['POST', 'PUT', 'PATCH', 'DELETE']],
    ['reservation', '/standings/ann/block', ['GET', 'POST', 'PATCH']],
    ['stock', '/stocks', ['PUT', 'PATCH', 'DELETE']],
    ['stock', '/stocks/known', ['POST', 'PUT', 'PATCH', 'DELETE']],
    ['stock', '/stocks/known/movements', ['POST', 'DELETE']],
    ['stock', '/stocks/known/queue', ['POST', 'PUT', 'DELETE']],
    ['stock', '/stocks/known/rules', ['GET', 'POST', 'PATCH', 'DELETE']],
    ['stock', '/holds/{known}', ['POST', 'PUT', 'DELETE']],
    ['stock', '/tasks', ['POST', 'PUT', 'PATCH', 'DELETE']],
    ['stock', '/withdrawals', ['GET', 'PUT', 'PATCH', 'DELETE']],
    ['stock', '/purchases', ['PUT', 'PATCH', 'DELETE']],
    ['stock', '/purchase-requests', ['POST', 'DELETE']],
    ['stock', '/purchase-requests/known/decline', ['GET', 'PUT', 'PATCH', 'DELETE']],
    ['stock', '/closing-days', ['POST', 'PUT', 'PATCH', 'DELETE']],
    ['stock', '/closing-days/2030-01-01', ['POST', 'PATCH']],
    ['notifier', '/customers/ann', ['POST', 'PATCH']],
    ['notifier', '/notices', ['POST', 'DELETE']],
    ['notifier', '/notices/{known}', ['POST', 'PUT', 'DELETE']],
    ['notifier', '/alerts', ['PUT', 'PATCH', 'DELETE']],
    ['reservation', '/partitions', ['POST', 'PUT', 'PATCH', 'DELETE']],
    ['reservation', '/backlog', ['POST', 'PUT', 'PATCH', 'DELETE']],
    ['stock', '/dead-letters', ['POST', 'PUT', 'PATCH', 'DELETE']],
    ['stock', '/dead-letters/0-1-0', ['POST', 'PUT', 'PATCH']],
    ['stock', '/dead-letters/0-1-0/redrive', ['GET', 'PUT', 'PATCH', 'DELETE']],
    ['notifier', '/audit', ['POST', 'PUT', 'PATCH', 'DELETE']],
  ]
  test.each(paths)('%s allows no other methods on %s', async (service, path, methods) => {
    for (const method of methods) {
      const { status, headers } = await system()[service].ask(method, pathOf(path))
      expect(status, method).toBe(405)
      expect(headers.get('allow'), method).toBeTruthy()
    }
  })
})
