/** With identity on, each caller may do what docs/security.md says and nothing else: every call with every kind of caller. */
import { createHash, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ServiceName, serviceNames } from '../platform/config.ts'
import { pruneAudit } from '../platform/identity/audit.ts'
import { TestIssuer } from '../platform/identity/testing.ts'
import { eventually } from './doubles/eventually.ts'
import type { Ask } from './harness/client.ts'
import { openDatabase } from './harness/database.ts'
import { ServiceProcess } from './harness/service-process.ts'
import { type System, startSystem } from './harness/system.ts'

const callers = [
  'anonymous',
  'other',
  'owner',
  'stock-manager',
  'purchaser',
  'operator',
  'service',
  'program',
] as const
type Caller = (typeof callers)[number]

const programToken = 'the-token-of-a-program'
const alertToken = 'the-token-of-alertmanager'
const digest = createHash('sha256').update(programToken).digest('hex')

let issuer: TestIssuer
let system: System
const tokens = new Map<Caller, string>()
beforeAll(async () => {
  issuer = await TestIssuer.start()
  const env = {
    ...issuer.settings,
    PRODUCTION: 'true',
    WEBHOOK_ALLOW_PRIVATE: 'false',
    API_TOKENS: `importer:service:${digest}`,
    ALERT_TOKEN: alertToken,
    ACTIVE_MAX: '50',
  }
  system = await startSystem({ env })
  tokens.set('owner', await issuer.token({ sub: 'sub-mina', userid: 'mina' }))
  tokens.set('other', await issuer.token({ sub: 'sub-hong', userid: 'hong' }))
  for (const role of ['stock-manager', 'purchaser', 'operator', 'service'] as const)
    tokens.set(role, await issuer.token({ sub: `a-${role}`, roles: [role] }))
  tokens.set('program', programToken)
}, 60_000)
afterAll(async () => {
  const faults = await system?.stop()
  await issuer?.[Symbol.asyncDispose]()
  expect(faults).toEqual([])
})

const headersOf = (caller: Caller): Record<string, string> => {
  const token = tokens.get(caller)
  return token === undefined ? {} : { authorization: `Bearer ${token}` }
}

const as = <Body = Record<string, unknown>>(
  caller: Caller,
  service: ServiceName,
  method: string,
  path: string,
  json?: unknown,
  ask: Ask = {},
) =>
  system[service].ask<Body>(method, path, { json, ...ask, headers: { ...ask.headers, ...headersOf(caller) } })

/** The answers to each caller. Unless it says so: 401 without a token, and 403 for every other caller. */
type Answers = Partial<Record<Caller, number | number[]>>
type Call = {
  answers: Answers
  json?: (caller: Caller) => unknown
  query?: string
  /** Of another book than the one of the others. */
  bookid?: string
}

const programs = (status: number | number[]): Answers => ({ service: status, program: status })
const staff = (status: number | number[]): Answers => ({
  'stock-manager': status,
  purchaser: status,
  operator: status,
})
const everyone = (status: number): Answers => Object.fromEntries(callers.map((it) => [it, status]))

/** Of `mina`'s reservation, notices, contact and standing. No program has made it. */
const readReservation: Answers = {
  owner: 200,
  other: 404,
  'stock-manager': 200,
  operator: 200,
  ...programs(404),
}

/** Of every service. No message is set aside, so the letter that is named does not exist. */
const operators: Record<string, Call> = {
  'GET /audit': { answers: { operator: 200 }, query: '?reason=review' },
  'GET /partitions': { answers: { operator: 200 } },
  'GET /backlog': { answers: { operator: 200 } },
  'GET /dead-letters': { answers: { operator: 200 } },
  'GET /dead-letters/{letterid}': { answers: { operator: 404 } },
  'POST /dead-letters/{letterid}/redrive': { answers: { operator: 404 } },
  'POST /dead-letters/redrive': { answers: { operator: 202 }, json: () => ({ all: true }) },
  'DELETE /dead-letters/{letterid}': { answers: { operator: 404 } },
}

const calls: Record<ServiceName, Record<string, Call>> = {
  reservation: {
    ...operators,
    'GET /books': { answers: everyone(200) },
    'GET /books/{bookid}': { answers: everyone(200) },
    'POST /reservations': {
      answers: { owner: 201, 'stock-manager': 201, ...programs(201) },
      // Programs see what they make.
      json: (caller) => ({ bookid: 'kept', userid: /^(service|program)$/.test(caller) ? 'jin' : 'mina' }),
    },
    'GET /reservations': {
      answers: { owner: 200, 'stock-manager': 200, operator: 200, ...programs(200) },
      query: '?userid=mina',
    },
    'GET /reservations/{reservationid}': { answers: readReservation },
    'GET /reservations/{reservationid}/events': { answers: readReservation },
    'GET /reservations/events': {
      answers: { owner: 200, 'stock-manager': 200, operator: 200, ...programs(204) },
      query: '?userid=mina',
    },
    'PATCH /reservations/{reservationid}': {
      answers: { owner: 200, other: 404, 'stock-manager': 200, ...programs(200) },
      json: (caller) => ({ status: 'Canceled', ...(caller === 'stock-manager' ? { cause: 'Staff' } : {}) }),
    },
    'GET /standings/{userid}': { answers: { owner: 200, 'stock-manager': 200, operator: 200 } },
    'PUT /standings/{userid}/block': {
      answers: { 'stock-manager': 200, ...programs(200) },
      json: () => ({ reason: 'overdue' }),
    },
    'DELETE /standings/{userid}/block': { answers: { 'stock-manager': 200, ...programs(200) } },
    'GET /standings/{userid}/export': { answers: { owner: 200, operator: 200 } },
    'DELETE /standings/{userid}': { answers: { owner: [200, 409], operator: [200, 409] } },
  },
  stock: {
    ...operators,
    'POST /stocks': {
      answers: { 'stock-manager': 201, ...programs(201) },
      json: () => ({ bookid: 'kept', qty: 1 }),
    },
    'GET /stocks': { answers: staff(200) },
    'GET /stocks/{bookid}': { answers: { ...staff(200), ...programs(200) } },
    'GET /stocks/{bookid}/movements': { answers: staff(200) },
    'GET /stocks/{bookid}/queue': { answers: staff(200), bookid: 'queued' },
    'PUT /stocks/{bookid}/rules': { answers: { 'stock-manager': 200 }, json: () => ({}) },
    'GET /holds/{reservationid}': { answers: { 'stock-manager': 200, operator: 200, ...programs(200) } },
    'PATCH /holds/{reservationid}': {
      answers: { 'stock-manager': [200, 409], ...programs([200, 409]) },
      json: () => ({ status: 'Collected' }),
    },
    'GET /tasks': { answers: staff(200), query: '?kind=pull' },
    'POST /withdrawals': {
      answers: { 'stock-manager': 201 },
      json: () => ({ bookid: 'kept', qty: 1, reason: 'Damaged' }),
    },
    'GET /purchase-requests': { answers: staff(200) },
    'POST /purchase-requests/{bookid}/decline': { answers: { purchaser: [204, 409] }, json: () => ({}) },
    'POST /purchases': { answers: { purchaser: 201 }, json: () => ({ bookid: 'kept', qty: 1 }) },
    'GET /purchases': { answers: staff(200) },
    'GET /purchases/{purchaseid}': { answers: staff(200) },
    'GET /closing-days': { answers: staff(200) },
    'PUT /closing-days/{date}': { answers: { 'stock-manager': [200, 201] }, json: () => ({}) },
    'GET /closing-days/{date}': { answers: staff(200) },
    'DELETE /closing-days/{date}': { answers: { 'stock-manager': 204 } },
  },
  notifier: {
    ...operators,
    'PUT /customers/{userid}': {
      answers: { owner: [200, 201] },
      json: () => ({ email: 'mina@example.com' }),
    },
    'GET /customers/{userid}': { answers: { owner: 200, 'stock-manager': 200, operator: 200 } },
    'GET /customers/{userid}/export': { answers: { owner: 200, operator: 200 } },
    'GET /notices': { answers: { owner: 200, operator: 200 }, query: '?userid=mina' },
    'GET /notices/{noticeid}': { answers: { owner: 200, other: 404, operator: 200 } },
    'PATCH /notices/{noticeid}': {
      answers: { operator: [200, 409] },
      json: () => ({ status: 'Suppressed' }),
    },
    // After the calls that find the notices and the contact.
    'DELETE /customers/{userid}': { answers: { owner: 200, operator: 200 } },
    'GET /alerts': { answers: { operator: 200 } },
    // By its own token.
    'POST /alerts': { answers: everyone(401), json: () => ({ version: '4' }) },
  },
}
const probes = ['GET /livez', 'GET /readyz']

type Ids = Record<string, string>

/** The calls that show data of a person to others. Each is in the audit; a call that is not here must not show any. */
const shown: Record<ServiceName, string[]> = {
  reservation: [
    'listReservations',
    'getReservation',
    'followReservation',
    'followReservations',
    'cancelReservation',
    'getStanding',
    'blockCustomer',
    'unblockCustomer',
    'exportCustomer',
  ],
  stock: ['listMovements', 'listQueue', 'listTasks', 'getHold', 'changeHold'],
  // A notice that was sent is not changed, and the refusal names no person.
  notifier: ['getCustomer', 'exportContact', 'listNotices', 'getNotice'],
}
/** A reservation says who made it, for the customer that they named; and an export of the audit has a row with its reason. */
const unnoted = new Set(['reserve', 'exportAudit'])

/** Stock may not have its partitions yet. */
async function receive(bookid: string, qty: number): Promise<void> {
  const receipt = () => as('stock-manager', 'stock', 'POST', '/stocks', { bookid, qty })
  await eventually(async () => (await receipt()).status === 201, { timeoutMs: 20_000 })
}

/** A book with a copy to fetch, and a customer who waits: both `mina`. */
async function prepareDesk(): Promise<void> {
  await receive('queued', 1)
  await as('stock-manager', 'stock', 'PUT', '/stocks/queued/rules', { queueMax: 10, pullStep: true })
  for (let i = 0; i < 2; i++)
    await as(
      'owner',
      'reservation',
      'POST',
      '/reservations',
      { bookid: 'queued' },
      { headers: { prefer: 'wait=20' } },
    )
}

/** A reservation of `mina` with all that follows from it. */
async function prepare(): Promise<Ids> {
  await receive('kept', 20)
  const { body } = await as<{ reservationid: string }>(
    'owner',
    'reservation',
    'POST',
    '/reservations',
    { bookid: 'kept', userid: 'mina' },
    { headers: { prefer: 'wait=20' } },
  )
  const notice = await eventually(async () => {
    type Notices = { _embedded: { notices: { noticeid: string }[] } }
    const { body } = await as<Notices>('owner', 'notifier', 'GET', '/notices')
    return body._embedded.notices[0]
  })
  const purchase = await as<{ purchaseid: string }>('purchaser', 'stock', 'POST', '/purchases', {
    bookid: 'kept',
    qty: 1,
  })
  await as('owner', 'notifier', 'PUT', '/customers/mina', {
    email: 'mina@example.com',
    phone: '+821012345678',
  })
  await as('stock-manager', 'stock', 'PUT', '/closing-days/2031-01-01', {})
  return {
    bookid: 'kept',
    userid: 'mina',
    reservationid: body.reservationid,
    noticeid: notice.noticeid,
    purchaseid: purchase.body.purchaseid,
    date: '2031-01-01',
    letterid: '0-1-0',
  }
}

test('AU3: every call is answered to each caller as it should be, and data of other persons leaves a row', async () => {
  const ids = await prepare()
  await prepareDesk()
  const seen = { reservation: new Set<string>(), stock: new Set<string>(), notifier: new Set<string>() }
  const wrong: string[] = []
  let count = 0
  for (const service of serviceNames) {
    const { paths } = system[service].contract.document
    const documented = Object.entries(paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    )
    expect([...Object.keys(calls[service]), ...probes].sort()).toEqual(documented.sort())
    // In this order, because a call may change or remove what others read.
    for (const [call, { answers, json, query = '', bookid = ids.bookid! }] of Object.entries(
      calls[service],
    )) {
      const [method, template] = call.split(' ') as [string, string]
      const path = template.replace(/\{(\w+)\}/, (_, name) => (({ ...ids, bookid }) as Ids)[name]!) + query
      const operationId = operationIdOf(paths[template]![method.toLowerCase()]!)
      for (const caller of callers) {
        const expected = [answers[caller] ?? (caller === 'anonymous' ? 401 : 403)].flat()
        const asked = { json: json?.(caller), headers: headersOf(caller) }
        const before = await rowsAbout(service, operationId)
        const answer = await system[service].fetch(method, path, asked)
        const text = await beginningOf(answer)
        count += 1
        if (text.includes('"userid":"mina"') && caller !== 'owner' && !unnoted.has(operationId)) {
          seen[service].add(operationId)
          if ((await rowsAbout(service, operationId)) === before)
            wrong.push(`${caller}: ${call} is in no audit`)
        }
        if (!expected.includes(answer.status))
          wrong.push(`${caller}: ${call} ${answer.status}, not ${expected}`)
        if (answer.status === 401 && !answer.headers.get('www-authenticate'))
          wrong.push(`${call}: 401 without advice`)
      }
    }
  }
  expect(wrong).toEqual([])
  for (const service of serviceNames) expect([...seen[service]].sort()).toEqual(shown[service].sort())
  expect(count).toBe(
    callers.length * serviceNames.reduce((sum, it) => sum + Object.keys(calls[it]).length, 0),
  )
}, 60_000)

const operationIdOf = (operation: object) => (operation as { operationId: string }).operationId

/** Of a stream, its first event. */
async function beginningOf(answer: Response): Promise<string> {
  if (!answer.headers.get('content-type')?.startsWith('text/event-stream')) return await answer.text()
  for await (const chunk of answer.body!) return new TextDecoder().decode(chunk)
  return ''
}

/** @returns how many rows say that this was done to `mina`, or to several. */
async function rowsAbout(service: ServiceName, action: string): Promise<number> {
  const [row] = await system.sql<[{ count: number }]>`
    select count(*)::int from ${system.sql(`${service}.audit`)}
    where action = ${action} and subject in ('mina', '*')`
  return row.count
}

test('probes need no token', async () => {
  for (const service of serviceNames)
    for (const call of probes)
      expect((await as('anonymous', service, 'GET', call.slice(4))).status, `${service} ${call}`).toBe(200)
})

describe('a customer', () => {
  test('reserves for themselves without naming themselves, and for no other', async () => {
    await as('stock-manager', 'stock', 'POST', '/stocks', { bookid: 'mine', qty: 10 })
    const reserve = (caller: Caller, json: object) => as(caller, 'reservation', 'POST', '/reservations', json)
    const own = await reserve('owner', { bookid: 'mine' })
    expect([own.status, own.body.userid]).toEqual([201, 'mina'])
    expect((await reserve('owner', { bookid: 'mine', userid: 'hong' })).status).toBe(403)
    expect((await reserve('owner', { bookid: 'mine', overLimit: true })).status).toBe(403)
    expect((await reserve('program', { bookid: 'mine', userid: 'hong', overLimit: true })).status).toBe(403)
    expect((await reserve('stock-manager', { bookid: 'mine', userid: 'hong', overLimit: true })).status).toBe(
      201,
    )
    const unnamed = await reserve('stock-manager', { bookid: 'mine' })
    expect([unnamed.status, unnamed.body.errors]).toEqual([
      400,
      [expect.objectContaining({ pointer: '/userid' })],
    ])
  })

  test('repeats a request with its key, and another customer who uses the same key notices nothing of it', async () => {
    const headers = { 'idempotency-key': randomUUID() }
    const reserve = (caller: Caller) =>
      as(caller, 'reservation', 'POST', '/reservations', { bookid: 'mine' }, { headers })
    const [first, again] = [await reserve('owner'), await reserve('owner')]
    expect(again.body.reservationid).toBe(first.body.reservationid)
    const other = await reserve('other')
    expect([other.status, other.body.userid]).toEqual([201, 'hong'])
    expect(other.body.reservationid).not.toBe(first.body.reservationid)
    expect((await reserve('other')).body.reservationid).toBe(other.body.reservationid)
  })

  test('finds their own reservations and notices alone, whatever they ask for', async () => {
    await prepare()
    await as(
      'other',
      'reservation',
      'POST',
      '/reservations',
      { bookid: 'mine' },
      { headers: { prefer: 'wait=20' } },
    )
    type Lists = { _embedded: { reservations?: { userid: string }[]; notices?: { userid: string }[] } }
    for (const [service, path] of [
      ['reservation', '/reservations?limit=200'],
      ['reservation', '/reservations?bookid=mine'],
      ['notifier', '/notices?limit=200'],
    ] as const) {
      const { body } = await as<Lists>('owner', service, 'GET', path)
      const found = body._embedded.reservations ?? body._embedded.notices!
      expect(new Set(found.map((it) => it.userid)), path).toEqual(new Set(['mina']))
    }
  })

  test('does not see why they are blocked, and cannot cancel as if they were staff', async () => {
    await as('stock-manager', 'reservation', 'PUT', '/standings/mina/block', { reason: 'A secret' })
    const own = await as('owner', 'reservation', 'GET', '/standings/mina')
    const staffs = await as('stock-manager', 'reservation', 'GET', '/standings/mina')
    expect([own.body.block, staffs.body.block]).toEqual([
      { reason: '', until: null },
      { reason: 'A secret', until: null },
    ])
    await as('stock-manager', 'reservation', 'DELETE', '/standings/mina/block')
    const { body } = await as<{ reservationid: string }>('owner', 'reservation', 'POST', '/reservations', {
      bookid: 'mine',
    })
    const cancel = (caller: Caller, cause?: string) =>
      as(caller, 'reservation', 'PATCH', `/reservations/${body.reservationid}`, { status: 'Canceled', cause })
    expect((await cancel('owner', 'Staff')).status).toBe(403)
    expect((await cancel('stock-manager')).status).toBe(400)
    expect((await cancel('owner')).status).toBe(200)
  })
})

test('a program reads the reservations that it made, and no others', async () => {
  await as('stock-manager', 'stock', 'POST', '/stocks', { bookid: 'sold', qty: 10 })
  const headers = { prefer: 'wait=20' }
  const reserve = async (caller: Caller, userid: string) => {
    const { body } = await as<{ reservationid: string }>(
      caller,
      'reservation',
      'POST',
      '/reservations',
      { bookid: 'sold', userid },
      { headers },
    )
    return body.reservationid
  }
  const own = [await reserve('program', 'hana'), await reserve('program', 'jin')]
  const foreign = [await reserve('service', 'hana'), await reserve('stock-manager', 'hana')]
  const count = async () => (await system.sql`select from reservation.audit`).length
  const before = await count()
  const read = (caller: Caller, path: string) =>
    as<{ _embedded: { reservations: { reservationid: string }[] } }>(caller, 'reservation', 'GET', path)
  const list = async (caller: Caller, query: string) =>
    (await read(caller, `/reservations${query}`)).body._embedded.reservations.map((it) => it.reservationid)
  expect(await list('program', '?bookid=sold')).toEqual([...own].reverse())
  expect(await list('program', '?limit=1')).toEqual([own[1]])
  expect(await list('program', '?userid=hana&status=Reserved')).toEqual([own[0]])
  expect(await list('service', '?userid=hana')).toEqual([foreign[0]])
  for (const id of own) expect((await read('program', `/reservations/${id}`)).status).toBe(200)
  for (const id of foreign)
    for (const path of [`/reservations/${id}`, `/reservations/${id}/events`])
      expect((await read('program', path)).status, path).toBe(404)
  const stream = await system.reservation.fetch('GET', '/reservations/events?userid=hana', {
    headers: headersOf('program'),
  })
  const events = await beginningOf(stream)
  expect(events).toContain(own[0])
  for (const id of foreign) expect(events).not.toContain(id)
  expect(await count()).toBe(before)
  // Also after another has canceled it.
  await as('stock-manager', 'reservation', 'PATCH', `/reservations/${own[0]}`, {
    status: 'Canceled',
    cause: 'Staff',
  })
  expect((await read('program', `/reservations/${own[0]}`)).status).toBe(200)
})

test('staff see masked addresses, and their customer the whole ones', async () => {
  const read = async (caller: Caller) => (await as(caller, 'notifier', 'GET', '/customers/mina')).body
  await as('owner', 'notifier', 'PUT', '/customers/mina', {
    email: 'mina@example.com',
    phone: '+821012345678',
  })
  expect(await read('owner')).toMatchObject({ email: 'mina@example.com', phone: '+821012345678' })
  expect(await read('stock-manager')).toMatchObject({ email: 'm***@example.com', phone: '+821*****5678' })
})

test('programs hand over and take back, and purchasers receive copies of their purchases', async () => {
  const ids = await prepare()
  const change = (caller: Caller, status: string) =>
    as(caller, 'stock', 'PATCH', `/holds/${ids.reservationid}`, {
      status,
      ...(status === 'Waiting' ? { cause: 'Lost' } : {}),
    })
  for (const status of ['Ready', 'Waiting']) expect((await change('program', status)).status).toBe(403)
  expect((await change('program', 'Collected')).status).not.toBe(403)
  const receive = (json: object) =>
    as('purchaser', 'stock', 'POST', '/stocks', { bookid: 'kept', qty: 1, ...json })
  expect((await receive({})).status).toBe(403)
  expect((await receive({ purchaseid: ids.purchaseid })).status).toBe(201)
})

test('who did it travels with each message, and is shown with the movements of the book', async () => {
  await as('stock-manager', 'stock', 'POST', '/stocks', { bookid: 'traced', qty: 1 })
  const headers = { prefer: 'wait=20' }
  const reserve = (caller: Caller, userid: string) =>
    as<{ reservationid: string }>(
      caller,
      'reservation',
      'POST',
      '/reservations',
      { bookid: 'traced', userid },
      { headers },
    )
  const { body } = await reserve('owner', 'mina')
  await as('program', 'reservation', 'PATCH', `/reservations/${body.reservationid}`, { status: 'Canceled' })
  type Movements = { _embedded: { movements: { type: string; by: object | null }[] } }
  const movements = await eventually(async () => {
    const { body } = await as<Movements>('operator', 'stock', 'GET', '/stocks/traced/movements')
    return body._embedded.movements.length === 3 && body._embedded.movements
  })
  expect(movements.map((it) => [it.type, it.by])).toEqual([
    ['CopyReleased', { authtype: 'service_account', authid: 'importer' }],
    ['CopyReserved', { authtype: 'app_user', authid: 'sub-mina' }],
    ['CopiesReceived', { authtype: 'app_user', authid: 'a-stock-manager' }],
  ])
  const logged =
    await system.sql`select type, authtype, authid from stock.event_log where subject = 'traced' order by seq`
  expect(logged.map((it) => it.authid)).toEqual(['a-stock-manager', 'sub-mina', 'importer'])
})

describe('the audit', () => {
  const rowsOf = (service: ServiceName) =>
    system.sql<
      {
        authid: string
        roles: string
        action: string
        subject: string
        detail: string | null
        address: string
      }[]
    >`select authid, roles, action, subject, detail, address from ${system.sql(`${service}.audit`)} order by id`

  test('AU2, AU4: has what staff and programs did and, once a minute, what they read, and nothing of customers', async () => {
    const ids = await prepare()
    const counts = await Promise.all(serviceNames.map(async (it) => (await rowsOf(it)).length))
    await as('owner', 'reservation', 'GET', `/reservations/${ids.reservationid}`)
    await as('owner', 'notifier', 'GET', '/customers/mina')
    expect(await Promise.all(serviceNames.map(async (it) => (await rowsOf(it)).length))).toEqual(counts)
    await as('operator', 'reservation', 'GET', `/reservations/${ids.reservationid}`)
    await as('program', 'reservation', 'PUT', '/standings/mina/block', { reason: 'overdue' })
    await as('stock-manager', 'reservation', 'DELETE', '/standings/mina/block')
    // AU4: the second is no other read.
    for (let i = 0; i < 2; i++) await as('stock-manager', 'notifier', 'GET', '/customers/rarely-read')
    await as('operator', 'notifier', 'PATCH', `/notices/${ids.noticeid}`, { status: 'Suppressed' })
    await as('stock-manager', 'stock', 'DELETE', '/closing-days/2031-01-01')
    const last = async (service: ServiceName, count: number) =>
      (await rowsOf(service))
        .slice(-count)
        .map(({ authid, action, subject, detail }) => [authid, action, subject, detail])
    expect(await last('reservation', 3)).toEqual([
      ['a-operator', 'getReservation', 'mina', ids.reservationid],
      ['importer', 'blockCustomer', 'mina', 'overdue'],
      ['a-stock-manager', 'unblockCustomer', 'mina', null],
    ])
    expect(await last('notifier', 2)).toEqual([
      ['a-stock-manager', 'getCustomer', 'rarely-read', null],
      ['a-operator', 'changeNotice', 'mina', `${ids.noticeid} suppressed`],
    ])
    expect(await last('stock', 1)).toEqual([['a-stock-manager', 'deleteClosingDay', '2031-01-01', null]])
    expect((await rowsOf('stock')).at(-1)).toMatchObject({ roles: 'stock-manager', address: '127.0.0.1' })
  })

  test('AU2: has what staff read of a person in the answer to a change, also one that changes nothing', async () => {
    const { reservationid } = await prepare()
    const of = async (service: ServiceName) =>
      (await rowsOf(service)).filter((it) => it.detail === reservationid).map((it) => [it.action, it.subject])
    const counts = [(await of('reservation')).length, (await of('stock')).length]
    const change = { status: 'Canceled', cause: 'Staff' }
    for (let i = 0; i < 2; i++) {
      await as('stock-manager', 'reservation', 'PATCH', `/reservations/${reservationid}`, change)
      const held = await as('stock-manager', 'stock', 'PATCH', `/holds/${reservationid}`, { status: 'Ready' })
      expect(JSON.stringify(held.body)).toContain('"userid":"mina"')
    }
    expect((await of('reservation')).slice(counts[0])).toEqual(Array(2).fill(['cancelReservation', 'mina']))
    expect((await of('stock')).slice(counts[1])).toEqual(Array(2).fill(['changeHold', 'mina']))
    // A kiosk, too.
    await as('program', 'stock', 'GET', `/holds/${reservationid}`)
    expect((await of('stock')).at(-1)).toEqual(['getHold', 'mina'])
  })

  test('is exported as CSV with a reason, which is in it, and no cell is a formula', async () => {
    await as('stock-manager', 'reservation', 'PUT', '/standings/mina/block', { reason: '=1+"1"' })
    await as('stock-manager', 'reservation', 'PUT', '/standings/mina/block', { reason: '＝1+1' })
    await as('stock-manager', 'reservation', 'DELETE', '/standings/mina/block')
    const path = `/audit?from=2020-01-01&reason=${encodeURIComponent('monthly review')}`
    const { headers, body } = await as<string>('operator', 'reservation', 'GET', path)
    expect(headers.get('content-type')).toMatch(/^text\/csv/)
    const lines = body.trimEnd().split('\r\n')
    expect(lines[0]).toBe('at,authtype,authid,roles,address,action,subject,detail')
    expect(lines.at(-1)).toMatch(
      /"a-operator","operator",".*","exportAudit","2020-01-01 to 2999-12-31","monthly review"$/,
    )
    expect(lines.at(-4)).toMatch(/"'=1\+""1""/)
    // A spreadsheet in Korean or Japanese takes wide characters for the same.
    expect(lines.at(-3)).toMatch(/"'＝1\+1"/)
    const past = await as<string>('operator', 'reservation', 'GET', '/audit?to=2020-01-01&reason=review')
    expect(past.body.trimEnd().split('\r\n')).toHaveLength(1)
  })

  test('AU1: has its row before the action: one that cannot be noted does not happen', async () => {
    await system.sql`alter table reservation.audit rename to audit_gone`
    const { status } = await as('stock-manager', 'reservation', 'PUT', '/standings/hong/block', {
      reason: 'overdue',
    })
    await system.sql`alter table reservation.audit_gone rename to audit`
    expect(status).toBe(500)
    expect((await as('stock-manager', 'reservation', 'GET', '/standings/hong')).body.block).toBeNull()
  })

  test('is deleted after its days', async () => {
    await using database = await openDatabase('reservation', 1)
    const { sql } = database
    await sql`insert into audit (at, authtype, authid, roles, address, action, subject)
      select now() - make_interval(days => days), 'app_user', 'jun', '', '', '', '' from generate_series(398, 402) as days`
    expect([
      await pruneAudit(sql, 400, 1),
      await pruneAudit(sql, 400, 100),
      await pruneAudit(sql, 400, 100),
    ]).toEqual([1, 2, 0])
  })
})

test('alerts need their own token, and no other opens them', async () => {
  const post = (token: string) =>
    system.notifier.post('/alerts', { version: '4' }, { headers: { authorization: `Bearer ${token}` } })
  for (let i = 0; i < 60; i++) expect((await post(alertToken)).status).toBe(200)
  expect((await post(tokens.get('operator')!)).status).toBe(401)
})

test('an issuer that is down keeps no customer from reserving with a token that was used before, and a rotated key works at once', async () => {
  const reserve = (token: string) =>
    system.reservation.post(
      '/reservations',
      { bookid: 'kept' },
      { headers: { authorization: `Bearer ${token}` } },
    )
  issuer.answer = (response) => response.destroy()
  expect((await reserve(tokens.get('owner')!)).status).toBe(201)
  // The key is known, though the token is not.
  expect((await reserve(await issuer.token({ userid: 'new' }))).status).toBe(201)
  await issuer.addKey('ES256')
  const refused = await reserve(await issuer.token({ userid: 'newer' }))
  expect(refused.status).toBe(503)
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(refused.tookMs).toBeLessThan(2_000)
  issuer.answer = undefined
  await eventually(async () => (await reserve(await issuer.token({ userid: 'newer' }))).status === 201)
})

test('pages without a login show books, and explain why they show nothing that belongs to a person', async () => {
  const { reservation, stock, notifier } = system
  const env = { RESERVATION_URL: reservation.url, STOCK_URL: stock.url, NOTIFIER_URL: notifier.url }
  const web = new ServiceProcess('web-0', { service: 'web', runtime: 'node', env })
  await web.start()
  const open = async (path: string) => {
    const response = await fetch(web.url + path, {
      headers: { cookie: 'as=customer%3Amina', 'accept-language': 'en' },
    })
    return [response.status, (await response.text()).includes('its pages have no login')]
  }
  const found = [await open('/'), await open('/me')]
  expect(await web.finish()).toEqual([])
  expect(found).toEqual([
    [200, false],
    [403, true],
  ])
})

test('a customer exports what is kept, and is erased everywhere once nothing is active', async () => {
  tokens.set('other', await issuer.token({ sub: 'sub-lee', userid: 'lee' }))
  await as('stock-manager', 'stock', 'POST', '/stocks', { bookid: 'private', qty: 1 })
  const headers = { prefer: 'wait=20' }
  const made = await as<{ reservationid: string }>(
    'other',
    'reservation',
    'POST',
    '/reservations',
    { bookid: 'private' },
    { headers },
  )
  const { reservationid } = made.body
  await as('other', 'notifier', 'PUT', '/customers/lee', { email: 'lee@example.com' })
  const noticesOf = () => system.sql`select noticeid from notifier.notice where userid = 'lee'`
  await eventually(async () => (await noticesOf()).length === 1)
  const own = await as('other', 'reservation', 'GET', '/standings/lee/export')
  expect(own.body).toMatchObject({
    userid: 'lee',
    standing: { active: [reservationid] },
    reservations: [{ reservationid, bookid: 'private', userid: 'lee', status: 'Reserved' }],
  })
  const contact = await as('operator', 'notifier', 'GET', '/customers/lee/export')
  expect(contact.body).toMatchObject({
    contact: { email: 'lee@example.com' },
    notices: [{ reservationid, kind: 'reserved', log: expect.any(Array) }],
  })

  const erase = (caller: Caller) => as(caller, 'reservation', 'DELETE', '/standings/lee')
  const refused = await erase('other')
  expect([refused.status, refused.body]).toMatchObject([
    409,
    {
      type: '/problems/still-active',
      reservations: [{ reservationid, bookid: 'private', status: 'Reserved' }],
    },
  ])
  await as('other', 'reservation', 'PATCH', `/reservations/${reservationid}`, { status: 'Canceled' })
  // Until stock has confirmed the cancellation, the copy is not free.
  const erased = await eventually(async () => {
    const answer = await erase('other')
    return answer.status === 200 && answer
  })
  expect(erased.body).toMatchObject({ reservations: 1, blockKept: false })
  expect(Date.parse(erased.body.eventsUntil as string)).toBeGreaterThan(Date.now() + 89 * 86_400_000)
  expect((await erase('operator')).body).toMatchObject({ reservations: 0 })
  await eventually(async () => (await noticesOf()).length === 2)
  const forgotten = await as('other', 'notifier', 'DELETE', '/customers/lee')
  expect(forgotten.body).toEqual({ contact: true, notices: 2 })
  await eventually(async () => {
    const [hold] = await system.sql`select userid from stock.hold where reservationid = ${reservationid}`
    return hold!.userid === ''
  })
  for (const [table, column] of [
    ['reservation.reservation', 'userid'],
    ['reservation.reservation', 'authid'],
    ['reservation.standing', 'userid'],
    ['stock.claim', 'userid'],
    ['notifier.customer', 'userid'],
    ['notifier.notice', 'userid'],
  ] as const) {
    const named = await system.sql`
      select from ${system.sql(table)} where ${system.sql(column)} in ('lee', 'sub-lee')`
    expect(named.length, `${table}.${column}`).toBe(0)
  }
  // Every service has read what it was sent.
  for (const service of serviceNames)
    expect(await system.sql`select from ${system.sql(`${service}.dead_letter`)}`).toHaveLength(0)
  const rows = await system.sql`
    select authid, roles, address, subject from reservation.audit where action = 'eraseCustomer' order by id`
  expect(rows.slice(-2)).toMatchObject([
    { authid: '', roles: 'customer', address: '', subject: '' },
    { authid: 'a-operator', roles: 'operator', subject: '' },
  ])
})
