/** Regression tests for defects of this system's predecessor. Each title says what holds now. */
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { eventually, inParallel, range } from './doubles/eventually.ts'
import { TcpProxy } from './doubles/tcp-proxy.ts'
import {
  cancel,
  count,
  decided,
  everyNotice,
  type Notice,
  receive,
  reservationOf,
  reserve,
  reserveAndWait,
  type Stock,
  stockOf,
} from './harness/acts.ts'
import { audit } from './harness/audit.ts'
import { Producer } from './harness/producer.ts'
import { useSystem } from './harness/system.ts'

/** Between the reservation service and its broker. */
let broker: TcpProxy
let database: TcpProxy
beforeAll(async () => {
  broker = await TcpProxy.start(inject('redisUrl'))
  database = await TcpProxy.start(inject('postgresUrl'))
})

const throughProxies = (env: Record<string, string>) => {
  const databaseUrl = new URL(database.url)
  databaseUrl.pathname = new URL(env.DATABASE_URL!).pathname
  return { REDIS_URL: broker.url, DATABASE_URL: databaseUrl.href }
}
const it = useSystem({
  reservation: 2,
  // Long enough for a cancellation right after a success to supersede its notice.
  env: { NOTICE_DELAY_MS: '300' },
  envOf: (service, index, env) => (service === 'reservation' && index === 0 ? throughProxies(env) : {}),
})
afterAll(async () => {
  await broker[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

/** Waits for a notice on the console, and returns all notices of the user. */
const noticesTo = (userid: string): Promise<Notice[]> =>
  eventually(
    async () => {
      const notices = await everyNotice(it(), `&userid=${userid}`)
      return notices.length > 0 && notices.every(({ status }) => status === 'Sent') && notices
    },
    { message: `${userid} gets no notice` },
  )
const kinds = (notices: Notice[]) => notices.map(({ kind }) => kind).sort()

test('1: outcomes go to the reservation they decide, not to every reservation of the book', async () => {
  await receive(it(), 'd1', 1)
  const first = await reserveAndWait(it().reservation, 'd1', 'ann')
  const second = await reserveAndWait(it().reservation, 'd1', 'ben')
  expect([first.status, second.status]).toEqual(['Reserved', 'Failed'])
  expect((await reservationOf(it().reservation, first.reservationid)).status).toBe('Reserved')
})

test('2: a second arrival of a book adds to it, and the book can still be reserved', async () => {
  await receive(it(), 'd2', 1)
  expect(await receive(it(), 'd2', 2)).toMatchObject({ bookid: 'd2', qty: 3 })
  const { body } = await it().stock.get<{ _embedded: { stocks: Stock[] } }>('/stocks?limit=200')
  expect(count(body._embedded.stocks, ({ bookid }) => bookid === 'd2')).toBe(1)
  expect((await reserveAndWait(it().reservation, 'd2', 'ann')).status).toBe('Reserved')
})

test('3: every refusal in a row is answered', async () => {
  await receive(it(), 'd3', 0)
  for (const userid of ['ann', 'ben', 'cem']) {
    expect((await reserveAndWait(it().reservation, 'd3', userid)).status).toBe('Failed')
  }
})

test('4: a reservation of an unknown book is answered', async () => {
  const { status, reason } = await reserveAndWait(it().reservation, 'd4-never-received', 'ann')
  expect({ status, reason }).toEqual({ status: 'Failed', reason: 'UnknownBook' })
})

test('5: concurrent reservations do not sell a copy twice', async () => {
  await receive(it(), 'd5', 2)
  const outcomes = await inParallel(range(40), 40, (index) =>
    reserveAndWait(it().reservation, 'd5', `reader-${index}`),
  )
  expect(count(outcomes, ({ status }) => status === 'Reserved')).toBe(2)
  expect(await stockOf(it(), 'd5')).toMatchObject({ qty: 0, held: 2 })
})

test('6: a message delivered twice takes one copy', async () => {
  await receive(it(), 'd6', 5)
  await using producer = new Producer(it())
  const { reservationid } = await reserveAndWait(it().reservation, 'd6', 'ann')
  const again = { type: 'ReserveCopy', bookid: 'd6', reservationid, userid: 'ann' } as const
  await producer.send(again, again, again)
  // A later receipt in the same mailbox is decided after them.
  expect(await receive(it(), 'd6', 1)).toMatchObject({ qty: 5, held: 1 })
})

describe('7: no copy is created by', () => {
  test('canceling a reservation that failed', async () => {
    await receive(it(), 'd7a', 0)
    const failed = await reserveAndWait(it().reservation, 'd7a', 'ann')
    const path = `/reservations/${failed.reservationid}`
    const answer = await it().reservation.patch<{ type: string }>(path, { status: 'Canceled' })
    expect(answer.status).toBe(409)
    expect(answer.body).toMatchObject({
      type: '/problems/not-cancelable',
      detail: 'The reservation is Failed and holds no copy.',
    })
    expect(await receive(it(), 'd7a', 0)).toMatchObject({ qty: 0, held: 0 })
  })

  test('toggling the status', async () => {
    await receive(it(), 'd7b', 1)
    const { reservationid } = await reserveAndWait(it().reservation, 'd7b', 'ann')
    await cancel(it().reservation, reservationid)
    const path = `/reservations/${reservationid}`
    const back = await it().reservation.patch(path, { status: 'Reserved' })
    expect(back.status).toBe(400)
    expect((await cancel(it().reservation, reservationid)).status).toBe('Canceled')
    await eventually(async () => (await stockOf(it(), 'd7b')).qty === 1)
    expect(await receive(it(), 'd7b', 0)).toMatchObject({ qty: 1, held: 0 })
  })
})

test('8: a cancellation before the decision remains, whatever is decided later', async () => {
  await receive(it(), 'd8', 1)
  const stock = it().processes.stock[0]!
  await stock.stop()
  const { reservationid } = await reserve(it().reservation, 'd8', 'hasty')
  expect((await cancel(it().reservation, reservationid)).status).toBe('Canceled')
  await stock.start()
  // The next reader gets the copy, so everything before has been decided.
  expect((await reserveAndWait(it().reservation, 'd8', 'next')).status).toBe('Reserved')
  expect((await reservationOf(it().reservation, reservationid)).status).toBe('Canceled')
  expect(await stockOf(it(), 'd8')).toMatchObject({ qty: 0, held: 1 })
  const notices = await eventually(async () => {
    const notices = await everyNotice(it(), '&userid=hasty')
    const sent = notices.filter(({ status }) => status === 'Sent')
    return sent.length > 0 && sent
  })
  expect(kinds(notices)).toEqual(['cancelled'])
})

test('8: a cancellation before the decision is announced as one, even if there was no copy', async () => {
  await receive(it(), 'd8b', 0)
  const stock = it().processes.stock[0]!
  await stock.stop()
  const { reservationid } = await reserve(it().reservation, 'd8b', 'rash')
  await cancel(it().reservation, reservationid)
  await stock.start()
  const notices = await eventually(async () => {
    const notices = await everyNotice(it(), '&userid=rash')
    const sent = notices.filter(({ status }) => status === 'Sent')
    return sent.length > 0 && notices.every(({ status }) => status !== 'Pending') && sent
  })
  expect(kinds(notices)).toEqual(['cancelled'])
  expect((await reservationOf(it().reservation, reservationid)).status).toBe('Canceled')
})

test('9: a failed reservation is announced as failed', async () => {
  await receive(it(), 'd9', 0)
  await reserveAndWait(it().reservation, 'd9', 'unlucky')
  expect(kinds(await noticesTo('unlucky'))).toEqual(['failed'])
})

test('10: the notice of a cancellation goes to the customer who reserved', async () => {
  await receive(it(), 'd10', 1)
  const { reservationid } = await reserveAndWait(it().reservation, 'd10', 'dora')
  await noticesTo('dora')
  await cancel(it().reservation, reservationid)
  const notices = await eventually(async () => {
    const all = await noticesTo('dora')
    return all.length > 1 && all
  })
  expect(kinds(notices)).toEqual(['cancelled', 'reserved'])
  expect(notices.every((notice) => notice.reservationid === reservationid)).toBe(true)
})

test('11: editing a stock sends no outcome again', async () => {
  await receive(it(), 'd11', 2)
  await reserveAndWait(it().reservation, 'd11', 'eve')
  await noticesTo('eve')
  const { status } = await it().stock.post('/stocks', { bookid: 'd11', qty: 0, title: 'A better title' })
  expect(status).toBe(201)
  // The next notice of the same book would come after anything that the edit sent.
  await reserveAndWait(it().reservation, 'd11', 'fay')
  await noticesTo('fay')
  expect(kinds(await noticesTo('eve'))).toEqual(['reserved'])
})

describe('12:', () => {
  test('AC2: reservations are accepted without the broker, and decided when it is back', async () => {
    await receive(it(), 'd12a', 1)
    broker.refuse()
    const { reservationid, status } = await reserve(it().reservation, 'd12a', 'ann')
    expect(status).toBe('Requested')
    broker.restore()
    expect((await decided(it().reservation, reservationid)).status).toBe('Reserved')
  })

  test('AC1: nothing is sent about a reservation that was not committed', async () => {
    await receive(it(), 'd12b', 5)
    database.refuse()
    const answer = await it().reservation.post('/reservations', { bookid: 'd12b', userid: 'ann' })
    expect(answer.status).toBe(503)
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    database.restore()
    await eventually(async () => (await it().reservation.get('/readyz')).status === 200)
    expect(await receive(it(), 'd12b', 0)).toMatchObject({ qty: 5, held: 0 })
  })
})

describe('13: no client can', () => {
  test.each(['Reserved', 'Failed', 'Requested', 'Anything', '', 7, null])(
    'set the status %j',
    async (status) => {
      const { reservationid } = await reserve(it().reservation, 'd13', 'ann')
      const answer = await it().reservation.patch(`/reservations/${reservationid}`, { status })
      expect(answer.status).toBe(400)
    },
  )

  test('delete a reservation', async () => {
    const { reservationid } = await reserve(it().reservation, 'd13', 'ann')
    const answer = await it().reservation.ask('DELETE', `/reservations/${reservationid}`)
    expect(answer.status).toBe(405)
    expect(answer.headers.get('allow')).toContain('PATCH')
    await reservationOf(it().reservation, reservationid)
  })

  test.each(['', ' ', 'a b', 'x'.repeat(129), 'ann\u0000', 42, null, { $ne: 1 }])(
    'reserve as the user %j',
    async (userid) => {
      const answer = await it().reservation.post('/reservations', { bookid: 'd13', userid })
      expect(answer.status).toBe(400)
    },
  )

  test('book in a negative quantity', async () => {
    await receive(it(), 'd13-qty', 1)
    for (const qty of [-1, '-1', -0.5]) {
      expect((await it().stock.post('/stocks', { bookid: 'd13-qty', qty })).status).toBe(400)
    }
    expect(await stockOf(it(), 'd13-qty')).toMatchObject({ qty: 1 })
  })
})

test('14: every replica knows every reservation and its outcome', async () => {
  await receive(it(), 'd14', 10)
  const replicas = [it().reservation, it().client('reservation', 1)]
  const made = await inParallel(range(10), 10, (index) =>
    reserveAndWait(replicas[index % 2]!, 'd14', `reader-${index}`),
  )
  for (const { reservationid } of made) {
    const seen = await Promise.all(replicas.map((replica) => reservationOf(replica, reservationid)))
    expect(seen.map(({ status }) => status)).toEqual(['Reserved', 'Reserved'])
  }
})

test('after all of these, stock and reservations agree', async () => {
  const stocks = await it().stock.get<{ _embedded: { stocks: Stock[] } }>('/stocks?limit=200')
  const received = stocks.body._embedded.stocks.map(({ bookid, qty, held }) => [bookid, qty + held])
  await audit(it(), { received: Object.fromEntries(received), accepted: [] })
})
