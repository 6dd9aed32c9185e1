/** Limits of reservations per customer, and blocks, with three processes that accept. */
import { expect, test } from 'vitest'
import { eventually, inParallel, range } from './doubles/eventually.ts'
import {
  allDecided,
  cancel,
  count,
  type Reservation,
  receive,
  reserve,
  reserveAndWait,
  reserveUntilAccepted,
} from './harness/acts.ts'
import { settled } from './harness/audit.ts'
import { useSystem } from './harness/system.ts'

const it = useSystem({ reservation: 3, notifier: 0, env: { ACTIVE_MAX: '3' } })

type Answered = Reservation & { active: number | null; limit: number | null }
type Standing = {
  active: string[]
  limit: number | null
  block: { reason: string; until: string | null } | null
}

const client = (index: number) => it().client('reservation', index % 3)
const standingOf = async (userid: string) => (await client(1).get<Standing>(`/standings/${userid}`)).body

/** Standings that are not the set of their customers' active reservations. */
const differing = () => it().sql`
  select userid, s.active, found from reservation.standing s, lateral (
    select coalesce(array_agg(reservationid), '{}') as found from reservation.reservation r
    where r.userid = s.userid and r.status in ('Requested', 'Waiting', 'Reserved', 'Ready')
  ) as r
  where not (s.active <@ found and found <@ s.active and cardinality(s.active) = cardinality(found))`

test('while stock is down, two hundred requests at three processes leave a customer three active reservations', async () => {
  const [stock] = it().processes.stock
  await receive(it(), 'book', 2)
  await stock!.stop()
  const keys = range(120).map(() => crypto.randomUUID())
  const answers = await inParallel([...keys, ...keys.slice(0, 80)], 200, async (key, index) => {
    return (await reserveUntilAccepted(client(index), 'book', 'ann', key)) as Answered
  })
  const byId = Map.groupBy(answers, ({ reservationid }) => reservationid)
  expect(byId.size).toBe(120)
  for (const same of byId.values()) expect(same).toEqual(same.map(() => same[0]))
  const firsts = [...byId.values()].map((same) => same[0]!)
  const requested = firsts.filter(({ status }) => status === 'Requested')
  expect(requested).toHaveLength(3)
  const refused = { status: 'Failed', reason: 'LimitReached', active: 3, limit: 3 }
  const failed = firsts.filter((answer) => !requested.includes(answer))
  expect(failed).toMatchObject(failed.map(() => refused))
  expect((await standingOf('ann')).active).toEqual(requested.map((answer) => answer.reservationid).sort())

  await cancel(client(0), requested[0]!.reservationid)
  expect((await reserve(client(1), 'book', 'ann')).status).toBe('Requested')
  expect(await reserve(client(2), 'book', 'ann')).toMatchObject(refused)

  await stock!.start()
  await allDecided(it())
  await settled(it())
  // Stock has two copies for the three, and has heard of no other reservation.
  const holds = await it().sql`select status from stock.hold where userid = 'ann'`
  expect(holds.map(({ status }) => status).sort()).toEqual(['held', 'held', 'refused', 'released'])
  expect(await differing()).toEqual([])
  expect((await reserve(client(0), 'book', 'ann')).status).toBe('Requested')
  const metrics = await Promise.all(
    it().processes.reservation.map(async ({ opsUrl }) => (await fetch(`${opsUrl}/metrics`)).text()),
  )
  const counted = metrics.map((text) => Number(/outcome="LimitReached".*} (\d+)/.exec(text)?.[1] ?? 0))
  expect(counted.reduce((sum, it) => sum + it)).toBeGreaterThan(0)
})

test('a customer refused by a standing that is wrong is accepted at the next try', async () => {
  const wrong = range(3).map(() => crypto.randomUUID())
  await it().sql`insert into reservation.standing (userid, active) values ('ben', ${wrong}::uuid[])`
  expect(await reserve(client(0), 'book', 'ben')).toMatchObject({ reason: 'LimitReached' })
  await eventually(async () => (await standingOf('ben')).active.length === 0)
  expect((await reserve(client(0), 'book', 'ben')).status).toBe('Requested')
})

test('staff block a customer, who can reserve again once the block ends; staff can pass the limit, not a block', async () => {
  const until = new Date(Date.now() + 3_600_000).toISOString()
  const path = '/standings/cem/block'
  const put = await client(0).put<Standing>(path, { reason: '연체', until })
  expect(put).toMatchObject({ status: 200, body: { limit: 3, block: { reason: '연체', until } } })
  const overLimit = { bookid: 'book', userid: 'cem', overLimit: true }
  for (const wanted of [{ bookid: 'book', userid: 'cem' }, overLimit]) {
    const { status, body } = await client(1).post<Answered>('/reservations', wanted)
    expect([status, body]).toMatchObject([
      201,
      { status: 'Failed', reason: 'Blocked', active: null, limit: null },
    ])
  }
  const ended = await client(2).ask<Standing>('DELETE', path)
  expect(ended).toMatchObject({ status: 200, body: { active: [], block: null } })
  const made = await inParallel(range(5), 1, () => reserveAndWait(client(0), 'none', 'cem'))
  // Each failed before the next was made.
  expect(count(made, ({ reason }) => reason === 'UnknownBook')).toBe(5)
  await it().processes.stock[0]!.stop()
  for (const index of range(3)) await reserve(client(index), 'book', 'cem')
  expect(await reserve(client(0), 'book', 'cem')).toMatchObject({ reason: 'LimitReached' })
  expect((await client(0).post<Answered>('/reservations', overLimit)).body.status).toBe('Requested')
  expect((await standingOf('cem')).active).toHaveLength(4)
  await it().processes.stock[0]!.start()
})

test('the desk hands no copy to a blocked customer, even while the reservation service is down', async () => {
  const { processes, stock } = it()
  await receive(it(), 'kept', 2)
  const [eva, fay] = [
    await reserveAndWait(client(0), 'kept', 'eva'),
    await reserveAndWait(client(0), 'kept', 'fay'),
  ]
  const collect = ({ reservationid }: Reservation) =>
    stock.patch<{ type: string }>(`/holds/${reservationid}`, { status: 'Collected' })
  const hold = { reservationid: eva.reservationid, userid: 'eva', status: 'Reserved' }
  await client(0).put('/standings/eva/block', { reason: 'overdue' })
  await eventually(async () => (await it().sql`select from stock.blocked_hold`).length === 1)
  for (const process of processes.reservation) await process.stop()
  expect(await collect(eva)).toMatchObject({
    status: 409,
    body: { type: '/problems/customer-blocked', hold },
  })
  expect((await collect(fay)).status).toBe(200)
  for (const process of processes.reservation) await process.start()
  await client(1).ask('DELETE', '/standings/eva/block')
  await eventually(async () => (await collect(eva)).status === 200)
})

test.each([
  [{ reason: '' }, '/reason'],
  [{ until: '2999-01-01T00:00:00Z' }, '/reason'],
  [{ reason: 'overdue', until: 'tomorrow' }, '/until'],
  [{ reason: 'overdue', until: '2020-01-01T00:00:00Z' }, '/until'],
  [{ reason: 'overdue', until: '9999-12-31T23:30:00-01:00' }, '/until'],
])('a block like %j is refused', async (json, pointer) => {
  const { status, body } = await client(0).put('/standings/dan/block', json)
  expect([status, body]).toMatchObject([400, { errors: [{ pointer }] }])
  expect((await standingOf('dan')).block).toBeNull()
})
