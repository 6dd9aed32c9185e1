/** Use cases of customers, stock manager and purchaser beyond the predecessor's calls. */
import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { serviceNames } from '../platform/config.ts'
import { eventually, inParallel, range } from './doubles/eventually.ts'
import {
  cancel,
  every,
  type Reservation,
  receive,
  reserve,
  reserveAndWait,
  stockOf,
  waitFor,
} from './harness/acts.ts'
import { apisOf } from './harness/api.ts'
import { requestsOf } from './harness/requests-file.ts'
import { useSystem } from './harness/system.ts'

const system = useSystem({ reservation: 2 })

test('a client generated from the documents plays the scene of the README', async () => {
  const { reservation, stock, notifier } = apisOf(system())
  const momo = { bookid: 'momo', qty: 3, title: 'Momo' }
  const headers = { 'idempotency-key': randomUUID() }
  const received = await stock.POST('/stocks', { body: momo, params: { header: headers } })
  expect(received.data).toMatchObject({ ...momo, held: 0 })

  const made = await reservation.POST('/reservations', {
    body: { bookid: 'momo', userid: 'gina' },
    params: { header: { prefer: 'wait=20' } },
  })
  expect(made.data?.status).toBe('Reserved')
  const path = { reservationid: made.data!.reservationid }
  const sent = await eventually(async () => {
    const { data } = await notifier.GET('/notices', {
      params: { query: { userid: 'gina', status: 'Sent' } },
    })
    return data?._embedded.notices.find(({ kind }) => kind === 'reserved')
  })
  expect(sent).toMatchObject({ ...path, status: 'Sent' })

  const canceled = await reservation.PATCH('/reservations/{reservationid}', {
    params: { path },
    body: { status: 'Canceled' },
  })
  expect(canceled.data?.status).toBe('Canceled')
  await eventually(async () => {
    const { data } = await stock.GET('/stocks/{bookid}', { params: { path: { bookid: 'momo' } } })
    return data?.qty === 3
  })
  const none = await stock.GET('/stocks/{bookid}', { params: { path: { bookid: 'none' } } })
  expect(none.error).toMatchObject({ type: '/problems/not-found', status: 404 })
})

describe('a customer', () => {
  test('who prefers to wait gets the decided reservation, and a header that confirms the preference', async () => {
    await receive(system(), 'wait', 1)
    const answer = await system().reservation.post<Reservation>(
      '/reservations',
      { bookid: 'wait', userid: 'ann' },
      { headers: waitFor(10) },
    )
    expect(answer.body.status).toBe('Reserved')
    expect(answer.headers.get('preference-applied')).toMatch(/^wait=10$/)
    expect(answer.headers.get('location')).toBe(`/reservations/${answer.body.reservationid}`)
    expect(answer.tookMs).toBeLessThan(5_000)
  })

  test('who waits without a decision gets the undecided reservation when the time is up', async () => {
    const stock = system().processes.stock[0]!
    stock.pause()
    const answer = await system().reservation.post<Reservation>(
      '/reservations',
      { bookid: 'wait', userid: 'ben' },
      { headers: waitFor(1) },
    )
    stock.resume()
    expect(answer.status).toBe(201)
    expect(answer.body.status).toBe('Requested')
    expect(answer.tookMs).toBeGreaterThan(900)
    expect(answer.tookMs).toBeLessThan(3_000)
  })

  test('who follows a reservation on any replica sees its status, then each change, then the end', async () => {
    await receive(system(), 'follow', 1)
    const stock = system().processes.stock[0]!
    stock.pause()
    const { reservationid } = await reserve(system().reservation, 'follow', 'ann')
    const replicas = [system().reservation, system().client('reservation', 1)]
    const path = `/reservations/${reservationid}/events`
    const streams = replicas.map((replica) => follow(replica.url + path))
    await Promise.all(streams.map((stream) => eventually(() => stream.seen.length === 1)))
    stock.resume()
    await Promise.all(streams.map((stream) => eventually(() => stream.seen.length === 2)))
    await cancel(replicas[0]!, reservationid)
    await Promise.all(streams.map((stream) => stream.ended))
    for (const { seen } of streams) expect(seen).toEqual(['Requested', 'Reserved', 'Canceled'])
  })

  test('who follows a customer sees all their active reservations, and nothing to follow when none is left', async () => {
    await receive(system(), 'follow-all', 1)
    const { reservation } = system()
    const [one, two] = [
      await reserveAndWait(reservation, 'follow-all', 'lee'),
      await reserveAndWait(reservation, 'follow-all', 'lee'),
    ]
    expect([one.status, two.status]).toEqual(['Reserved', 'Failed'])
    await receive(system(), 'follow-all', 1)
    const three = await reserveAndWait(reservation, 'follow-all', 'lee')
    const path = '/reservations/events?userid=lee'
    const stream = follow(reservation.url + path)
    await eventually(() => stream.seen.length === 2)
    for (const { reservationid } of [one, three]) await cancel(reservation, reservationid)
    await stream.ended
    expect(stream.seen).toEqual(['Reserved', 'Reserved', 'Canceled', 'Canceled'])
    expect((await reservation.fetch('GET', path)).status).toBe(204)
  })

  test('who follows a reservation reconnects after a second, and no proxy collects the events', async () => {
    const { reservationid } = await reserve(system().reservation, 'follow', 'ann')
    const events = await system().reservation.fetch('GET', `/reservations/${reservationid}/events`)
    expect(events.headers.get('x-accel-buffering')).toBe('no')
    const reader = events.body!.pipeThrough(new TextDecoderStream()).getReader()
    expect((await reader.read()).value).toMatch(/^retry: 1000$/m)
    await reader.cancel()
  })

  test('finds their reservations, page by page, newest first', async () => {
    await receive(system(), 'pages', 3)
    const made = await inParallel(range(7), 1, () => reserve(system().reservation, 'pages', 'pat'))
    const path = '/reservations?userid=pat&bookid=pages&limit=3'
    const found = await every<Reservation>(system().reservation, 'reservations', path)
    expect(found.map((it) => it.reservationid)).toEqual(made.map((it) => it.reservationid).reverse())
    const { body } = await system().reservation.get<{ _embedded: { reservations: unknown[] } }>(path)
    expect(body._embedded.reservations.length).toBe(3)
  })

  test('finds books by words of their title and by availability', async () => {
    const title = '어린 왕자 100%'
    await system().stock.post('/stocks', { bookid: 'prince', qty: 1, title, author: 'Saint-Exupéry' })
    await system().stock.post('/stocks', { bookid: 'prince-2', qty: 0, title: `${title} II` })
    const search = async (query: string) =>
      (await every<{ bookid: string }>(system().reservation, 'books', `/books?${query}`)).map(
        (it) => it.bookid,
      )
    const q = encodeURIComponent('왕자 100%')
    await eventually(async () => (await search(`q=${q}`)).length === 2)
    expect(await search(`q=${q}&available=true`)).toEqual(['prince'])
    expect(await search(`q=${encodeURIComponent('saint-exu')}`)).toEqual(['prince'])
    expect(await search('q=100_')).toEqual([])
  })
})

test.each([
  'a/b',
  '%2F',
  'x?y=1&z',
  '#7',
  '"quoted"',
  "o'clock",
  'ISBN:978-0-14',
  '~'.repeat(128),
  '\\',
  '{id}',
  '*',
  '.hidden',
])('the book %s can be received, found, reserved and canceled under its own id', async (bookid) => {
  const { headers, status } = await system().stock.post('/stocks', { bookid, qty: 1 })
  expect(status).toBe(201)
  const found = await system().stock.get<{ bookid: string }>(headers.get('location')!)
  expect(found.body.bookid).toBe(bookid)
  const { reservationid, ...reserved } = await reserveAndWait(system().reservation, bookid, bookid)
  expect(reserved).toMatchObject({ bookid, userid: bookid, status: 'Reserved' })
  const query = `bookid=${encodeURIComponent(bookid)}&userid=${encodeURIComponent(bookid)}`
  const mine = await every<Reservation>(system().reservation, 'reservations', `/reservations?${query}`)
  expect(mine.map((it) => it.reservationid)).toEqual([reservationid])
  await cancel(system().reservation, reservationid)
  await eventually(async () => (await stockOf(system(), bookid)).qty === 1)
})

describe('a request repeated with its Idempotency-Key', () => {
  const calls = [
    ['reservation', '/reservations', { bookid: 'keys', userid: 'ann' }, { bookid: 'keys', userid: 'ben' }],
    ['stock', '/stocks', { bookid: 'keys', qty: 2 }, { bookid: 'keys', qty: 3 }],
    ['stock', '/purchases', { bookid: 'keys', qty: 2 }, { bookid: 'keys', qty: 3 }],
  ] as const
  test.each(calls)(
    'to %s %s has one effect and one response; with another payload it is refused',
    async (service, path, payload, other) => {
      const headers = { 'idempotency-key': randomUUID() }
      const post = (json: object) => system()[service].post<Record<string, unknown>>(path, json, { headers })
      const answers = await Promise.all(range(5).map(() => post(payload)))
      const known = ({ body }: { body: Record<string, unknown> }) =>
        body.reservationid ?? body.purchaseid ?? body.qty
      expect(answers.map(({ status }) => status)).toEqual(range(5).map(() => 201))
      expect(new Set(answers.map(known)).size).toBe(1)
      expect((await post(other)).status).toBe(422)
      expect(known(await post(payload))).toBe(known(answers[0]!))
    },
  )
})

test('the purchaser sees the demand, orders, and the copies arrive', async () => {
  await receive(system(), 'bought', 0)
  for (const userid of ['ann', 'ben']) await reserveAndWait(system().reservation, 'bought', userid)
  const wanted = async () => {
    const path = '/purchase-requests?limit=200'
    const all = await every<{ bookid: string; shortage: number }>(system().stock, 'purchaseRequests', path)
    return all.filter(({ bookid }) => bookid === 'bought').map(({ shortage }) => shortage)
  }
  expect(await wanted()).toEqual([2])
  const { stock } = apisOf(system())
  const ordered = await stock.POST('/purchases', { body: { bookid: 'bought', qty: 5 } })
  expect(ordered.data?.status).toBe('Ordered')
  expect(await wanted()).toEqual([])
  const { purchaseid } = ordered.data!
  await stock.POST('/stocks', { body: { bookid: 'bought', qty: 5, purchaseid } })
  const arrived = await stock.GET('/purchases/{purchaseid}', { params: { path: { purchaseid } } })
  expect(arrived.data?.status).toBe('Received')
  expect((await reserveAndWait(system().reservation, 'bought', 'cem')).status).toBe('Reserved')
  const movements = await every<{ type: string }>(
    system().stock,
    'movements',
    '/stocks/bought/movements?limit=2',
  )
  expect(movements.map(({ type }) => type)).toEqual([
    'CopyReserved',
    'CopiesReceived',
    'CopiesOrdered',
    'ReservationRefused',
    'PurchaseRequested',
    'ReservationRefused',
    'CopiesReceived',
  ])
})

test('the stock manager closes the library on days, sees which come next, and opens it again', async () => {
  const { stock } = system()
  type Day = { date: string; note: string }
  const next = () => every<Day>(stock, 'closingDays', '/closing-days?limit=2&from=2029-01-01')
  const put = (date: string, note?: string) => stock.put<Day>(`/closing-days/${date}`, { note })
  const dates = ['2029-12-25', '2028-12-31', '2029-12-24', '2029-01-01', '2029-12-26', '2029-12-27']
  for (const date of dates) expect((await put(date)).status).toBe(201)
  expect(await next()).toMatchObject(
    dates
      .toSorted()
      .slice(1)
      .map((date) => ({ date, note: '' })),
  )
  // Repeated, as after an answer that was lost.
  for (const note of ['크리스마스', '크리스마스', undefined]) {
    const { status, body } = await put('2029-12-25', note)
    expect([status, body.note]).toEqual([200, note ?? ''])
    expect((await stock.get('/closing-days/2029-12-25')).body).toEqual(body)
  }
  expect((await stock.ask('DELETE', '/closing-days/2029-12-26')).status).toBe(204)
  expect((await stock.ask('DELETE', '/closing-days/2029-12-26')).status).toBe(404)
  expect((await stock.get('/closing-days/2029-12-26')).status).toBe(404)
  expect((await next()).map(({ date }) => date)).toEqual([
    '2029-01-01',
    '2029-12-24',
    '2029-12-25',
    '2029-12-27',
  ])
})

describe('an answer may be kept by caches', () => {
  type Call = [json?: object]
  /** Every call. Those that name no person have an `ETag`; the others may not be stored. */
  const ofOperators: Record<string, ['no-store', ...Call]> = {
    'GET /partitions': ['no-store'],
    'GET /dead-letters': ['no-store'],
    'GET /dead-letters/{letterid}': ['no-store'],
    'DELETE /dead-letters/{letterid}': ['no-store'],
    'POST /dead-letters/{letterid}/redrive': ['no-store'],
    'POST /dead-letters/redrive': ['no-store', { type: 'None' }],
    'GET /backlog': ['no-store'],
  }
  const calls: Record<(typeof serviceNames)[number], Record<string, ['no-cache' | 'no-store', ...Call]>> = {
    reservation: {
      'GET /audit': ['no-store'],
      'GET /books': ['no-cache'],
      'GET /books/{bookid}': ['no-cache'],
      'POST /reservations': ['no-store', { bookid: 'kept', userid: 'kim' }],
      'GET /reservations': ['no-store'],
      'GET /reservations/{reservationid}': ['no-store'],
      'GET /reservations/{reservationid}/events': ['no-store'],
      'GET /reservations/events': ['no-store'],
      'PATCH /reservations/{reservationid}': ['no-store', { status: 'Canceled' }],
      'GET /standings/{userid}': ['no-store'],
      'PUT /standings/{userid}/block': ['no-store', { reason: 'overdue' }],
      'DELETE /standings/{userid}/block': ['no-store'],
      'GET /standings/{userid}/export': ['no-store'],
      'DELETE /standings/{userid}': ['no-store'],
      ...ofOperators,
      'GET /livez': ['no-store'],
      'GET /readyz': ['no-store'],
    },
    stock: {
      'GET /audit': ['no-store'],
      'POST /stocks': ['no-store', { bookid: 'kept', qty: 1 }],
      'GET /stocks': ['no-cache'],
      'GET /stocks/{bookid}': ['no-cache'],
      'GET /stocks/{bookid}/movements': ['no-store'],
      'GET /stocks/{bookid}/queue': ['no-store'],
      'PUT /stocks/{bookid}/rules': ['no-store', {}],
      'GET /holds/{reservationid}': ['no-store'],
      'PATCH /holds/{reservationid}': ['no-store', { status: 'Ready' }],
      'GET /tasks': ['no-store'],
      'POST /withdrawals': ['no-store', { bookid: 'kept', qty: 1, reason: 'Damaged' }],
      'GET /purchase-requests': ['no-store'],
      'POST /purchase-requests/{bookid}/decline': ['no-store', { note: 'No' }],
      'POST /purchases': ['no-store', { bookid: 'kept', qty: 1 }],
      'GET /purchases': ['no-store'],
      'GET /purchases/{purchaseid}': ['no-store'],
      'GET /closing-days': ['no-store'],
      'PUT /closing-days/{date}': ['no-store', { note: 'Cleaning' }],
      'GET /closing-days/{date}': ['no-store'],
      'DELETE /closing-days/{date}': ['no-store'],
      ...ofOperators,
      'GET /livez': ['no-store'],
      'GET /readyz': ['no-store'],
    },
    notifier: {
      'GET /audit': ['no-store'],
      'PUT /customers/{userid}': ['no-store', { email: 'kim@example.com' }],
      'GET /customers/{userid}': ['no-store'],
      'GET /customers/{userid}/export': ['no-store'],
      'GET /notices': ['no-store'],
      'GET /notices/{noticeid}': ['no-store'],
      'PATCH /notices/{noticeid}': ['no-store', { status: 'Suppressed' }],
      'DELETE /customers/{userid}': ['no-store'],
      'GET /alerts': ['no-store'],
      'POST /alerts': ['no-store', { version: '4' }],
      ...ofOperators,
      'GET /livez': ['no-store'],
      'GET /readyz': ['no-store'],
    },
  }
  const noticeOf = async (userid: string) => {
    type Notices = { _embedded: { notices: { noticeid: string }[] } }
    const list = async () => (await system().notifier.get<Notices>(`/notices?userid=${userid}`)).body
    await eventually(async () => (await list())._embedded.notices.length > 0)
    return (await list())._embedded.notices[0]!.noticeid
  }
  const unknown: Record<string, string> = {
    bookid: 'unheard',
    userid: 'unheard',
    reservationid: randomUUID(),
    purchaseid: randomUUID(),
    noticeid: randomUUID(),
    date: '2031-01-01',
    letterid: '0-1-0',
  }

  test.each(serviceNames)('if it names no person: %s', async (service) => {
    await receive(system(), 'kept', 1)
    const { reservationid } = await reserveAndWait(system().reservation, 'kept', 'kim')
    const known: typeof unknown = {
      ...unknown,
      bookid: 'kept',
      userid: 'kim',
      reservationid,
      noticeid: await noticeOf('kim'),
    }
    const { paths } = system()[service].contract.document
    const documented = Object.entries(paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    )
    expect(Object.keys(calls[service]).sort()).toEqual(documented.sort())
    for (const [call, [cacheControl, json]] of Object.entries(calls[service])) {
      const [method, template] = call.split(' ') as [string, string]
      for (const ids of [known, unknown]) {
        const path = template.replace(/\{(\w+)\}/, (_, name) => ids[name]!)
        const answer = await system()[service].fetch(method, path, { json })
        await answer.body?.cancel()
        const expected = answer.status < 400 ? cacheControl : 'no-store'
        expect([answer.status, answer.headers.get('cache-control')], call).toEqual([answer.status, expected])
        expect(answer.headers.has('etag'), call).toBe(expected === 'no-cache')
      }
    }
  })

  test('until the book changes: then its tag changes, and before that the answer to it is 304', async () => {
    const ask = (service: 'reservation' | 'stock', path: string, tag?: string) =>
      system()[service].get<object>(path, { headers: tag === undefined ? {} : { 'if-none-match': tag } })
    for (const [service, path] of [
      ['stock', '/stocks/tagged'],
      ['stock', '/stocks?limit=200'],
      ['reservation', '/books?q=tagged'],
    ] as const) {
      await receive(system(), 'tagged', 1)
      const { version } = await stockOf(system(), 'tagged')
      const isListed = async () => {
        const { body } = await ask('reservation', '/books?q=tagged')
        return JSON.stringify(body).includes(`"version":${version}`)
      }
      await eventually(isListed)
      const first = await ask(service, path)
      expect(first.status, path).toBe(200)
      const tag = first.headers.get('etag')!
      for (const given of [tag, `W/${tag}`, `"other", ${tag}`, '*']) {
        const again = await ask(service, path, given)
        expect([again.status, again.body], `${path} ${given}`).toEqual([304, ''])
        expect(again.headers.get('etag'), path).toBe(tag)
      }
      expect((await ask(service, path, '"other"')).status, path).toBe(200)
      await receive(system(), 'tagged', 1)
      await eventually(async () => (await ask(service, path, tag)).status === 200)
    }
  })
})

test('every request of requests.http works, in order, and together they are the calls of customers and staff', async () => {
  const { reservation, stock, notifier } = system()
  const clients = [reservation, stock, notifier]
  const urls = { reservation: reservation.url, stock: stock.url, notifier: notifier.url }
  const answers = new Map<string, Record<string, unknown>>()
  const made: string[] = []
  const followed: Promise<void>[] = []
  for (const { title, name, method, url, headers, body } of requestsOf('requests.http', urls, answers)) {
    const client = clients.find((it) => url.startsWith(it.url))!
    const path = url.slice(client.url.length)
    made.push(`${method} ${path.split('?')[0]}`)
    if (path.split('?')[0]!.endsWith('/events')) {
      const events = follow(url)
      await eventually(() => events.seen.length > 0)
      followed.push(events.ended)
      continue
    }
    const answer = await client.ask<Record<string, unknown>>(method, path, { raw: body, headers })
    expect([200, 201, 204], `${title}: ${JSON.stringify(answer.body)}`).toContain(answer.status)
    if (name) answers.set(name, answer.body)
  }
  await Promise.all(followed)
  const calls = clients.flatMap(({ contract }) =>
    Object.entries(contract.document.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    ),
  )
  const isMade = (call: string) => made.some((it) => toPattern(call).test(it))
  const isOfOperators = (call: string) => /\/(partitions|dead-letters|backlog|alerts)\b|z$/.test(call)
  expect(calls.filter((it) => !isMade(it) && !isOfOperators(it))).toEqual(leftOut)
})

const toPattern = (call: string) => new RegExp(`^${call.replaceAll(/\{[^}]+\}/g, '[^/]+')}$`)

/** Of limits, which are off, and of notices, besides those of operators. */
const leftOut = [
  'GET /audit',
  'PUT /standings/{userid}/block',
  'DELETE /standings/{userid}/block',
  'GET /audit',
  'GET /audit',
  'GET /notices/{noticeid}',
  'PATCH /notices/{noticeid}',
]

/** Follows a reservation by Server-Sent Events until the server ends the stream. */
function follow(url: string): { seen: string[]; ended: Promise<void> } {
  const seen: string[] = []
  const read = async () => {
    const response = await fetch(url)
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/)
    let buffer = ''
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      buffer += chunk
      const blocks = buffer.split('\n\n')
      buffer = blocks.pop()!
      for (const block of blocks) {
        const data = block.match(/^data: ?(.*)$/m)?.[1]
        if (data) seen.push(JSON.parse(data).status)
      }
    }
  }
  return { seen, ended: read() }
}
