import { Hono } from 'hono'
import { expect, test } from 'vitest'
import type { Answer } from './answer.ts'
import { follow } from './follow.ts'
import { Positions } from './positions.ts'
import { type Position, type Reservation, requested, type Status } from './reservation.ts'

const reservationid = '01a20646-76c0-7b29-af61-e9e4b5d9e512'
const at = (second: number) => new Date(Date.UTC(2026, 10, 24, 2, 40, second))
const row = (status: Status, more: Partial<Reservation> = {}): Reservation => ({
  ...requested({ reservationid, bookid: 'wanted', userid: 'ann' }, at(0)),
  status,
  ...more,
})
const answer = (status: Status, second: number, more: Partial<Answer> = {}): Answer => ({
  reservationid,
  status,
  reason: null,
  updatedAt: at(second).toISOString(),
  ...more,
})

/** A stream about one reservation. `rows` is what Postgres has, `positions` what the queue has. */
const followed = (reservation: Reservation, rows: Reservation[] = [], expiresAt?: number) =>
  followedAll([reservation], rows, expiresAt)

function followedAll(reservations: Reservation[], rows: Reservation[] = [], expiresAt?: number) {
  const stop = new AbortController()
  const asked: [string, number[]][] = []
  const queue = new Map<number, Position>()
  const positions = new Positions({
    everyMs: 1,
    async read(bookid, places) {
      asked.push([bookid, places])
      return queue
    },
  })
  const listeners = new Map<string, (answer: Answer) => void>()
  const acceptance = {
    listen(id: string, listener: (answer: Answer) => void) {
      listeners.set(id, listener)
      return () => listeners.delete(id)
    },
  }
  const places = new DisposableStack()
  const freed = Promise.withResolvers<void>()
  places.defer(freed.resolve)
  const app = new Hono().get('/', (c) =>
    follow(c, {
      reservations,
      idOf: (it) => (reservations.length === 1 ? it.status : `${it.reservationid}/${it.status}`),
      acceptance,
      positions,
      read: async () => rows.shift(),
      stopping: stop.signal,
      expiresAt,
      places,
    }),
  )
  const running = positions.run(stop.signal)
  const events = (async function* () {
    const response = await app.request('/')
    let text = ''
    for await (const part of response.body!.pipeThrough(new TextDecoderStream())) {
      text += part
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const field = (name: string) => text.slice(0, end).match(new RegExp(`^${name}: (.*)$`, 'm'))?.[1]
        const { status, position, waiting, pickupBy, cause, _links } = JSON.parse(field('data')!)
        const other = _links.other?.href
        yield { event: field('event'), id: field('id'), status, position, waiting, pickupBy, cause, other }
        text = text.slice(end + 2)
      }
    }
  })()
  return {
    queue,
    asked,
    listeners,
    freed: freed.promise,
    announce: (it: Answer) => listeners.get(it.reservationid)!(it),
    next: async () => (await events.next()).value,
    async [Symbol.asyncDispose]() {
      stop.abort()
      await running
    },
  }
}

test('a reservation that waits sends its position whenever it has changed, until it has a copy', async () => {
  const queue = { position: 3, waiting: 4 }
  await using stream = followed(row('Waiting', { place: 7, queue }))
  expect(await stream.next()).toMatchObject({ event: 'status', id: 'Waiting', ...queue })
  stream.queue.set(7, { position: 3, waiting: 4 })
  stream.queue.set(7, { position: 1, waiting: 2 })
  expect(await stream.next()).toMatchObject({ event: 'position', id: 'Waiting', position: 1, waiting: 2 })
  expect(stream.asked[0]).toEqual(['wanted', [7]])
  stream.announce(answer('Ready', 2, { pickupBy: at(60).toISOString() }))
  const ready = { event: 'status', id: 'Ready', position: null, pickupBy: at(60).toISOString() }
  expect(await stream.next()).toMatchObject(ready)
})

test('a stream ends with the token of its caller, and gives its place back', async () => {
  const expiresAt = Date.now() + 150
  await using stream = followed(row('Requested'), [], expiresAt)
  expect(await stream.next()).toMatchObject({ status: 'Requested' })
  expect(await stream.next()).toBeUndefined()
  await stream.freed
  expect(Date.now()).toBeGreaterThanOrEqual(expiresAt)
  // It could be that of a month.
  await using long = followed(row('Requested'), [], Date.now() + 60 * 86_400_000)
  await long.next()
  long.announce(answer('Reserved', 1))
  expect(await long.next()).toMatchObject({ status: 'Reserved' })
})

test('a reservation that comes to wait sends its position with its status', async () => {
  const waiting = row('Waiting', { place: 7, queue: { position: 2, waiting: 2 }, updated_at: at(1) })
  await using stream = followed(row('Requested'), [waiting])
  expect(await stream.next()).toMatchObject({ status: 'Requested', position: null })
  stream.announce(answer('Waiting', 1))
  expect(await stream.next()).toMatchObject({ event: 'status', status: 'Waiting', position: 2, waiting: 2 })
})

test('a new deadline is sent, an older answer is not', async () => {
  await using stream = followed(row('Ready', { pickup_by: at(30), updated_at: at(3) }))
  expect(await stream.next()).toMatchObject({ status: 'Ready', pickupBy: at(30).toISOString() })
  stream.announce(answer('Reserved', 2))
  await new Promise(setImmediate)
  stream.announce(answer('Ready', 4, { pickupBy: at(50).toISOString() }))
  expect(await stream.next()).toMatchObject({ status: 'Ready', pickupBy: at(50).toISOString() })
})

test('a change is sent even if the clock of Postgres was set back', async () => {
  const reserved = row('Reserved', { updated_at: at(1) })
  await using stream = followed(row('Requested', { updated_at: at(3) }), [reserved])
  expect(await stream.next()).toMatchObject({ status: 'Requested' })
  stream.announce(answer('Reserved', 1))
  expect(await stream.next()).toMatchObject({ status: 'Reserved' })
})

test('a reservation that fails because of another one is sent with a link to it', async () => {
  const other = '01a20646-76c0-7b29-af61-000000000000'
  await using stream = followed(row('Requested'))
  await stream.next()
  stream.announce(answer('Failed', 1, { reason: 'AlreadyReserved', other }))
  expect(await stream.next()).toMatchObject({ status: 'Failed', other: `/reservations/${other}` })
})

test.each(['Collected', 'Expired', 'Failed', 'Canceled'] as const)(
  'the stream ends when it is %s',
  async (status) => {
    await using stream = followed(row('Ready'))
    await stream.next()
    stream.announce(answer(status, 1, status === 'Canceled' ? { cause: 'Staff' } : {}))
    expect(await stream.next()).toMatchObject({ status, cause: status === 'Canceled' ? 'Staff' : null })
    expect(await stream.next()).toBeUndefined()
  },
)

test('the reservations of a customer share a stream, which ends when all are final', async () => {
  const [first, second] = [row('Waiting', { place: 7, queue: { position: 2, waiting: 2 } }), row('Requested')]
  const other = '01a20646-76c0-7b29-af61-000000000000'
  await using stream = followedAll([first, { ...second, reservationid: other }])
  expect(await stream.next()).toMatchObject({ event: 'status', id: `${reservationid}/Waiting`, position: 2 })
  expect(await stream.next()).toMatchObject({ event: 'status', id: `${other}/Requested` })
  stream.announce(answer('Failed', 1, { reservationid: other }))
  expect(await stream.next()).toMatchObject({ event: 'status', id: `${other}/Failed` })
  stream.queue.set(7, { position: 1, waiting: 1 })
  expect(await stream.next()).toMatchObject({
    event: 'position',
    id: `${reservationid}/Waiting`,
    position: 1,
  })
  stream.announce(answer('Canceled', 2))
  expect(await stream.next()).toMatchObject({ id: `${reservationid}/Canceled` })
  expect(await stream.next()).toBeUndefined()
  await stream.freed
  expect(stream.listeners.size).toBe(0)
})
