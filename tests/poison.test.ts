/** A senseless message becomes a dead letter, and the messages after it are handled. */
import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { topics } from '../actors/messages.ts'
import { eventually, range } from './doubles/eventually.ts'
import { receive, stockOf } from './harness/acts.ts'
import { fieldsOf, Producer } from './harness/producer.ts'
import { senseless } from './harness/senseless.ts'
import { useSystem } from './harness/system.ts'

const system = useSystem({ notifier: 0, reservation: 0 })

test('each kind of senseless message becomes a dead letter with its reason, in order, and changes nothing', async () => {
  await receive(system(), 'book', 3)
  await using producer = new Producer(system())
  const positions: string[] = []
  for (const fields of Object.values(senseless)) {
    positions.push((await producer.redis.xadd(producer.mailboxOf('book'), '*', ...fields))!)
  }
  // It is decided after all of them.
  expect(await receive(system(), 'book', 1)).toMatchObject({ qty: 4, held: 0 })

  const letters = await system().sql<{ position: string; reason: string }[]>`
    select position, reason from stock.dead_letter order by string_to_array(position, '-')::bigint[]`
  expect(letters.map(({ position }) => position)).toEqual(positions)
  expect(letters.every(({ reason }) => reason.length > 0)).toBe(true)
  const metrics = await (await fetch(`${system().opsUrl('stock')}/metrics`)).text()
  expect(metrics).toMatch(new RegExp(`^\\w*dead_letters\\w*(\\{[^}]*\\})? ${positions.length}$`, 'm'))
})

test('a message in the mailbox of another book’s partition takes no copy', async () => {
  const here = { bookid: 'home', reservationid: randomUUID(), userid: 'ann' }
  await receive(system(), here.bookid, 1)
  await using producer = new Producer(system())
  const fields = fieldsOf({ type: 'ReserveCopy', ...here })
  const elsewhere = range(100)
    .map((n) => `elsewhere-${n}`)
    .find((it) => producer.mailboxOf(it) !== producer.mailboxOf(here.bookid))!
  const position = (await producer.redis.xadd(producer.mailboxOf(elsewhere), '*', ...fields))!
  await receive(system(), elsewhere, 0)
  expect(await reasonAt(position)).toContain('belongs to partition')
  expect(await stockOf(system(), here.bookid)).toMatchObject({ qty: 1, held: 0 })
})

test('a command with another book’s reservation changes neither book', async () => {
  await receive(system(), 'hers', 5)
  await receive(system(), 'his', 5)
  await using producer = new Producer(system())
  const hers = { bookid: 'hers', reservationid: randomUUID(), userid: 'ann' }
  await producer.send({ type: 'ReserveCopy', ...hers })
  expect(await receive(system(), 'hers', 0)).toMatchObject({ qty: 4, held: 1 })

  const positions = await producer.send(
    { type: 'ReleaseCopy', ...hers, bookid: 'his' },
    { type: 'ReserveCopy', ...hers, bookid: 'his' },
  )
  expect(await receive(system(), 'his', 0)).toMatchObject({ qty: 5, held: 0 })
  for (const position of positions) expect(await reasonAt(position)).toContain('is for book hers, not his')
  expect(await receive(system(), 'hers', 0)).toMatchObject({ qty: 4, held: 1 })
})

const reasonAt = async (position: string) => {
  const [letter] = await system().sql<{ reason: string }[]>`
    select reason from stock.dead_letter where position = ${position}`
  return letter?.reason
}

test('the stream of a partition with dead letters has no lag and nothing pending', async () => {
  await using producer = new Producer(system())
  await eventually(async () => {
    const groups = (await producer.redis.xinfo('GROUPS', producer.mailboxOf('book'))) as unknown[][]
    const group = groups.find((it) => it[1] === topics.stockMailbox.owner)!
    const field = (name: string) => group[group.indexOf(name) + 1]
    return field('lag') === 0 && field('pending') === 0
  })
})
