/** Concurrent requests with the same key at two processes have one effect, and one response: the stored resource. */
import { expect, test } from 'vitest'
import { range } from './doubles/eventually.ts'
import type { Reservation } from './harness/acts.ts'
import type { Client } from './harness/client.ts'
import { useSystem } from './harness/system.ts'

const it = useSystem({ reservation: 2, stock: 2, notifier: 0 })

type Timed = Reservation & { createdAt: string; updatedAt: string }

/** The responses to one call, made with one key by many clients at once, half of them at each of two processes. */
async function manyAtOnce<Body>(service: 'reservation' | 'stock', path: string, json: object, more = {}) {
  const key = crypto.randomUUID()
  const clients: Client[] = range(2).map((index) => it().client(service, index))
  const answers = await Promise.all(
    range(20).map((i) =>
      clients[i % 2]!.post<Body>(path, json, { headers: { 'idempotency-key': key, ...more } }),
    ),
  )
  for (const { status, body } of answers) expect(status, JSON.stringify(body)).toBe(201)
  return answers.map(({ body }) => body)
}

test.for(range(5))('concurrent reservations with one key are one, with one time (%i)', async () => {
  const answers = await manyAtOnce<Timed>('reservation', '/reservations', { bookid: 'none', userid: 'ann' })
  const { body } = await it().reservation.get<Timed>(`/reservations/${answers[0]!.reservationid}`)
  for (const { reservationid, createdAt, status, updatedAt } of answers) {
    expect({ reservationid, createdAt }).toEqual({
      reservationid: body.reservationid,
      createdAt: body.createdAt,
    })
    // It may be decided between one response and the next.
    expect(updatedAt).toBe(status === 'Requested' ? body.createdAt : body.updatedAt)
  }
})

test('all clients that wait for the decision get the same', async () => {
  const wait = { prefer: 'wait=20' }
  const json = { bookid: 'none', userid: 'ben' }
  const answers = await manyAtOnce<Timed>('reservation', '/reservations', json, wait)
  expect(answers[0]!.status).toBe('Failed')
  expect(answers).toEqual(answers.map(() => answers[0]))
})

test('concurrent orders with one key are one purchase, with one time', async () => {
  const answers = await manyAtOnce<object>('stock', '/purchases', { bookid: 'bought', qty: 2 })
  expect(answers).toEqual(answers.map(() => answers[0]))
})

test('concurrent receipts with one key count once', async () => {
  const answers = await manyAtOnce<{ qty: number }>('stock', '/stocks', { bookid: 'received', qty: 2 })
  expect(answers.map(({ qty }) => qty)).toEqual(answers.map(() => 2))
})

test('a key belongs to all callers of a route, and to one payload', async () => {
  const headers = { 'idempotency-key': crypto.randomUUID() }
  const ask = (userid: string) =>
    it().reservation.post('/reservations', { bookid: 'none', userid }, { headers })
  expect((await ask('ann')).status).toBe(201)
  expect((await ask('ben')).status).toBe(422)
})

test('without a key, a reader who reserves a book twice holds two copies', async () => {
  const json = { bookid: 'twice', userid: 'ann' }
  await it().stock.post('/stocks', { bookid: 'twice', qty: 3 })
  const wait = { headers: { prefer: 'wait=20' } }
  for (const _ of range(2))
    expect((await it().reservation.post<Timed>('/reservations', json, wait)).body.status).toBe('Reserved')
  expect((await it().stock.get('/stocks/twice')).body).toMatchObject({ qty: 1, held: 2 })
})
