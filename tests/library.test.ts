/** A library's day: customers wait, copies are fetched, handed over and returned, deadlines pass. */
import { expect, test } from 'vitest'
import { eventually } from './doubles/eventually.ts'
import { every, everyNotice, receive, waitFor } from './harness/acts.ts'
import { useSystem } from './harness/system.ts'

const system = useSystem({
  partitions: 2,
  env: { RULES: 'library', PICKUP_GRACE_MS: '0', CLOSED_WEEKDAYS: 'none', LIBRARY_TIMEZONE: 'Asia/Seoul' },
})

type Body = Record<string, unknown> & { reservationid: string; status: string }

async function reserve(bookid: string, userid: string, more = {}): Promise<Body> {
  const body = { bookid, userid, ...more }
  const answer = await system().reservation.post<Body>('/reservations', body, { headers: waitFor(20) })
  expect(answer.status, JSON.stringify(answer.body)).toBe(201)
  return answer.body
}

const at = (path: string) =>
  system()
    .reservation.get<Body>(path)
    .then((it) => it.body)
const read = ({ reservationid }: Body) => at(`/reservations/${reservationid}`)

/** Waits until the reservation service has learned of a change. */
const becomes = (reservation: Body, status: string, timeoutMs = 10_000): Promise<Body> =>
  eventually(
    async () => {
      const now = await read(reservation)
      return now.status === status && now
    },
    { timeoutMs, message: `${reservation.reservationid} did not become ${status}` },
  )

const desk = ({ reservationid }: Body, change: object) =>
  system().stock.patch<Body>(`/holds/${reservationid}`, change)

test('copies that were held before their book had rules are fetched like others, and count', async () => {
  const { stock } = system()
  await receive(system(), 'old', 2)
  const rules = (body: object) => stock.put<Body>('/stocks/old/rules', body)
  const original = { queueMax: 0, queuePerCopy: null, pickupDays: null, pullStep: false, waitDays: null }
  expect((await rules({ ...original, onePerBook: false, lend: false })).status).toBe(200)
  const ann = await reserve('old', 'ann')
  expect(ann.status).toBe('Reserved')
  expect((await rules({})).status).toBe(200)
  const tasks = () => every<Body>(stock, 'tasks', '/tasks?kind=pull')
  await eventually(async () => (await tasks()).some((it) => it.reservationid === ann.reservationid))
  expect(await reserve('old', 'ann')).toMatchObject({ status: 'Failed', reason: 'AlreadyReserved' })
  for (const status of ['Ready', 'Collected', 'Returned'])
    expect((await desk(ann, { status })).body).toMatchObject({ status })
})

test('a copy goes from hand to hand, in the order in which customers asked', async () => {
  const { stock } = system()
  await receive(system(), 'momo', 1)
  const [ann, ben, cat] = [
    await reserve('momo', 'ann'),
    await reserve('momo', 'ben'),
    await reserve('momo', 'cat'),
  ]
  expect(ann).toMatchObject({ status: 'Reserved', position: null, waiting: null, pickupBy: null })
  expect(ben).toMatchObject({ status: 'Waiting', position: 1 })
  expect(cat).toMatchObject({ status: 'Waiting', position: 2, waiting: 2 })
  expect((await every<Body>(stock, 'queue', '/stocks/momo/queue?limit=1')).map((it) => it.userid)).toEqual([
    'ben',
    'cat',
  ])
  expect(await every<Body>(stock, 'tasks', '/tasks?kind=pull')).toMatchObject([
    { userid: 'ann', bookid: 'momo' },
  ])
  const pulled = async (query: string) =>
    (await every<Body>(stock, 'tasks', `/tasks?kind=pull&${query}`)).map((it) => it.userid)
  expect(await pulled('bookid=momo')).toEqual(['ann'])
  expect(await pulled('bookid=heidi')).toEqual([])
  expect(await pulled(`ending=${ann.reservationid.slice(-7)}`)).toEqual(['ann'])
  expect(await pulled(`ending=${ben.reservationid.slice(-7)}`)).toEqual([])

  const ready = await desk(ann, { status: 'Ready' })
  expect([ready.status, ready.body]).toMatchObject([200, { status: 'Ready', place: 1 }])
  // 18:00 in Seoul.
  expect(ready.body.pickupBy).toMatch(/T09:00:00.000Z$/)
  expect(await becomes(ann, 'Ready')).toMatchObject({ pickupBy: ready.body.pickupBy })
  expect(await every<Body>(stock, 'tasks', '/tasks?kind=ready')).toMatchObject([{ userid: 'ann' }])

  const wrong = await desk(ann, { status: 'Collected', userid: 'ben' })
  expect([wrong.status, wrong.body]).toMatchObject([
    409,
    { type: '/problems/other-customer', hold: { userid: 'ann' } },
  ])
  for (let times = 0; times < 2; times++)
    expect((await desk(ann, { status: 'Collected', userid: 'ann' })).body).toMatchObject({
      status: 'Collected',
    })
  await becomes(ann, 'Collected')
  expect((await stock.get('/stocks/momo')).body).toMatchObject({
    qty: 0,
    held: 0,
    out: 1,
    owned: 1,
    waiting: 2,
  })
  const late = await system().reservation.patch<Body>(`/reservations/${ann.reservationid}`, {
    status: 'Canceled',
  })
  expect([late.status, late.body.type]).toEqual([409, '/problems/not-cancelable'])

  expect((await desk(ann, { status: 'Returned' })).body).toMatchObject({ status: 'Returned' })
  await becomes(ann, 'Returned')
  await becomes(ben, 'Reserved')
  expect(await read(cat)).toMatchObject({ status: 'Waiting', position: 1, waiting: 1 })
  // Ann may have it again, and is the last.
  const again = await reserve('momo', 'ann')
  expect(again).toMatchObject({ status: 'Waiting', position: 2 })
  expect(await reserve('momo', 'ann')).toMatchObject({
    status: 'Failed',
    reason: 'AlreadyReserved',
    _links: { other: { href: `/reservations/${again.reservationid}` } },
  })

  // Ben's copy cannot be found.
  expect((await desk(ben, { status: 'Waiting', cause: 'Lost' })).body).toMatchObject({
    status: 'Waiting',
    place: 2,
  })
  expect(await becomes(ben, 'Waiting')).toMatchObject({ position: 1, waiting: 3 })
  await receive(system(), 'momo', 1)
  await becomes(ben, 'Reserved')

  const notices = await eventually(
    async () => {
      const found = (await everyNotice(system(), '&userid=ben')).filter((it) => it.channel === 'console')
      return found.length >= 4 && found
    },
    { message: 'ben was not notified' },
  )
  expect(notices.map(({ kind }) => kind).reverse()).toEqual(['queued', 'reserved', 'taken-back', 'reserved'])
})

test('a copy that is not collected in time goes to the next', async () => {
  const { stock, sql } = system()
  await receive(system(), 'kokdu', 1)
  const [dan, eve] = [await reserve('kokdu', 'dan'), await reserve('kokdu', 'eve')]
  const { body } = await desk(dan, { status: 'Ready' })
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString()
  expect((await desk(dan, { pickupBy: tomorrow })).body).toMatchObject({ pickupBy: tomorrow })
  expect(body.pickupBy).not.toBe(tomorrow)
  // The day passes.
  await sql`update stock.claim set pickup_by = now() - interval '1 second' where reservationid = ${dan.reservationid}`
  await becomes(dan, 'Expired', 30_000)
  await becomes(eve, 'Reserved')
  const late = await desk(dan, { status: 'Collected' })
  expect([late.status, late.body]).toMatchObject([
    409,
    { type: '/problems/not-held', hold: { status: 'Expired' } },
  ])
  expect((await stock.get('/stocks/kokdu')).body).toMatchObject({ qty: 0, held: 1, waiting: 0 })
})

test('a new deadline that is repeated after it has passed gets the answer of the first try', async () => {
  await receive(system(), 'late', 1)
  const dan = await reserve('late', 'dan')
  await desk(dan, { status: 'Ready' })
  const pickupBy = new Date(Date.now() + 3_000).toISOString()
  const headers = { 'idempotency-key': crypto.randomUUID() }
  const change = (json: object, more = {}) =>
    system().stock.patch<Body>(`/holds/${dan.reservationid}`, json, { headers: { ...headers, ...more } })
  const first = await change({ pickupBy })
  expect([first.status, first.body]).toMatchObject([200, { status: 'Ready', pickupBy }])
  await becomes(dan, 'Expired', 20_000)
  const again = await change({ pickupBy })
  expect([again.status, again.body]).toMatchObject([200, { status: 'Expired' }])
  expect((await change({ pickupBy }, { 'idempotency-key': crypto.randomUUID() })).status).toBe(400)
  const other = await change({ status: 'Ready' })
  expect([other.status, other.body.type]).toEqual([422, '/problems/idempotency-key-reused'])
})

test('the rules of a book, withdrawals and purchases that are declined', async () => {
  const { stock } = system()
  await receive(system(), 'solo', 2)
  const rules = await stock.put<Body>('/stocks/solo/rules', { queueMax: 1, pullStep: false })
  expect([rules.status, rules.body]).toMatchObject([
    200,
    {
      rules: { queueMax: 1, pullStep: false, lend: true },
      ownRules: { queueMax: 1, pullStep: false },
    },
  ])
  const fay = await reserve('solo', 'fay')
  expect(fay).toMatchObject({ status: 'Ready' })
  expect(await reserve('solo', 'gus')).toMatchObject({ status: 'Ready' })
  expect(await reserve('solo', 'hal')).toMatchObject({ status: 'Waiting', position: 1 })
  expect(await reserve('solo', 'ida')).toMatchObject({ status: 'Failed', reason: 'QueueFull' })
  expect(await reserve('solo', 'ivo', { wait: false })).toMatchObject({
    status: 'Failed',
    reason: 'OutOfStock',
  })

  const withdrawal = { bookid: 'solo', qty: 2, reason: 'Damaged' }
  const refused = await stock.post<Body>('/withdrawals', withdrawal)
  expect([refused.status, refused.body]).toMatchObject([409, { type: '/problems/copies-held', available: 0 }])
  const taken = await stock.post<Body>('/withdrawals', { ...withdrawal, evenHeld: true })
  expect([taken.status, taken.body]).toMatchObject([201, { qty: 0, held: 0, owned: 0, waiting: 3 }])
  expect(await becomes(fay, 'Waiting')).toMatchObject({ position: 1, waiting: 3 })

  type Requests = { _embedded: { purchaseRequests: { bookid: string }[] } }
  const { body: requests } = await stock.get<Requests>('/purchase-requests')
  // Books of the other tests are wanted, too.
  expect(requests._embedded.purchaseRequests.find((it) => it.bookid === 'solo')).toMatchObject({
    shortage: 2,
    owned: 0,
    waiting: 3,
    onOrder: 0,
  })
  expect((await stock.post('/purchase-requests/solo/decline', { note: 'Out of print.' })).status).toBe(204)
  expect(await becomes(fay, 'Failed')).toMatchObject({ reason: 'NotAcquired' })
  const again = await stock.post<Body>('/purchase-requests/solo/decline', {})
  expect([again.status, again.body.type]).toEqual([409, '/problems/nothing-requested'])
  expect((await stock.patch('/holds/00000000-0000-4000-8000-000000000000', { status: 'Ready' })).status).toBe(
    404,
  )
})

test.each([
  ['neither', {}],
  ['both', { status: 'Ready', pickupBy: '2099-01-01T00:00:00Z' }],
  ['no cause', { status: 'Waiting' }],
  ['a cause that does not belong', { status: 'Ready', cause: 'Lost' }],
  ['a past deadline', { pickupBy: '2020-01-01T00:00:00Z' }],
  ['a deadline that no stream can carry', { pickupBy: '9999-12-31T23:30:00-01:00' }],
  ['a status that only customers set', { status: 'Canceled' }],
])('the desk refuses %s', async (_, change) => {
  await receive(system(), 'valid', 1)
  const reservation = await reserve('valid', `u-${crypto.randomUUID()}`, { wait: false })
  const answer = await desk(reservation, change)
  expect([answer.status, answer.body.type]).toEqual([400, '/problems/invalid-input'])
})
