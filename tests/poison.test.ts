/** A senseless message becomes a dead letter, and the messages after it are handled. */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { promisify } from 'node:util'
import { expect, inject, test } from 'vitest'
import { type StockCommand, topics } from '../actors/messages.ts'
import { eventually, range } from './doubles/eventually.ts'
import { every, receive, stockOf } from './harness/acts.ts'
import { withDatabase } from './harness/database.ts'
import { leaseOf, partitionOfBook } from './harness/owner.ts'
import { fieldsOf, Producer } from './harness/producer.ts'
import { senseless } from './harness/senseless.ts'
import { root } from './harness/service-process.ts'
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

type Partition = {
  partition: number
  owner: string | null
  leased: boolean
  epoch: number
  offset: string
  processed: number
  lag: number | null
  pending: number | null
  lagError: string | null
  deadLetters: number
}
type Letter = {
  letterid: string
  partition: number
  position: string
  type: string | null
  bookid: string | null
  status: string
  redrivable: boolean
  reason: string
  at: string
}

const partitionOf = async (bookid: string): Promise<Partition> => {
  const partitions = await every<Partition>(system().stock, 'partitions', '/partitions')
  return partitions.find((it) => it.partition === partitionOfBook(system(), bookid))!
}
/** Redis shows a commit a moment after it. */
const idlePartitionOf = (bookid: string): Promise<Partition> =>
  eventually(async () => {
    const it = await partitionOf(bookid)
    return it.lag === 0 && it
  })
const lettersLike = (query: string) => every<Letter>(system().stock, 'deadLetters', `/dead-letters?${query}`)
const redrive = (letterid: string) => system().stock.post<Letter>(`/dead-letters/${letterid}/redrive`)
const commandFor = (bookid: string, userid: string): StockCommand => ({
  type: 'ReserveCopy',
  bookid,
  userid,
  reservationid: randomUUID(),
})

test('a partition that is stuck shows its owner, and how many messages wait', async () => {
  await receive(system(), 'stuck', 5)
  await using producer = new Producer(system())
  const before = await idlePartitionOf('stuck')
  expect(before).toMatchObject({ pending: 0, lagError: null, leased: true })
  const lock = await system().sql.reserve()
  await lock`begin`
  await lock`select from stock.mailbox where partition = ${before.partition} for update`
  await producer.send(...range(3).map((i) => commandFor('stuck', `u-${i}`)))
  const stuck = await eventually(async () => {
    const it = await partitionOf('stuck')
    return it.lag === 3 && it
  })
  const { owner, epoch } = await leaseOf(system(), 'stock', before.partition)
  expect(stuck).toMatchObject({ owner, epoch, processed: before.processed, pending: 0, lagError: null })
  await lock`rollback`
  lock.release()
  expect(await idlePartitionOf('stuck')).toMatchObject({ processed: before.processed + 3, leased: true })
})

test('a dead letter is found and read, fails again, and has its effect once when its cause is gone', async () => {
  await receive(system(), 'mended', 3)
  const before = await partitionOf('mended')
  await system().sql`alter table stock.hold add constraint fit check (userid <> 'unfit') not valid`
  await using producer = new Producer(system())
  await producer.send(commandFor('mended', 'unfit'))
  const [letter] = await eventually(async () => {
    const letters = await lettersLike('type=ReserveCopy&bookid=mended')
    return letters.length > 0 && letters
  })
  expect(letter).toMatchObject({ bookid: 'mended', status: 'SetAside', redrivable: true })
  expect(letter!.reason).toContain('fit')
  expect(Object.keys(letter!)).not.toContain('message')
  expect((await idlePartitionOf('mended')).deadLetters).toBe(before.deadLetters + 1)
  const read = async () =>
    await system().stock.get<Letter & { message: unknown }>(`/dead-letters/${letter!.letterid}`)
  expect((await read()).body.message).toMatchObject({ type: 'ReserveCopy', data: { userid: 'unfit' } })

  expect(await redrive(letter!.letterid)).toMatchObject({ status: 202, body: { status: 'Redriving' } })
  await eventually(async () => {
    const { body } = await read()
    return body.status === 'SetAside' && body.at > letter!.at
  })
  expect(await stockOf(system(), 'mended')).toMatchObject({ qty: 3, held: 0 })

  await system().sql`alter table stock.hold drop constraint fit`
  const asked = await Promise.all(range(5).map(() => redrive(letter!.letterid)))
  expect(asked.filter(({ status }) => status !== 202 && status !== 404)).toEqual([])
  await eventually(async () => (await read()).status === 404)
  expect(await stockOf(system(), 'mended')).toMatchObject({ qty: 2, held: 1 })
  expect((await redrive(letter!.letterid)).status).toBe(404)
  const movements = await every<{ type: string }>(system().stock, 'movements', '/stocks/mended/movements')
  expect(movements.map(({ type }) => type)).toEqual(['CopyReserved', 'CopiesReceived'])
})

test('a dropped letter is gone, and has no effect', async () => {
  await receive(system(), 'dropped', 1)
  await using producer = new Producer(system())
  await producer.redis.xadd(producer.mailboxOf('dropped'), '*', 'dropped', 'no message')
  await receive(system(), 'dropped', 0)
  const [letter] = (await lettersLike('limit=200')).toReversed()
  const path = `/dead-letters/${letter!.letterid}`
  const { body } = await system().stock.get<{ fields: string[]; message: unknown }>(path)
  expect(body).toMatchObject({ fields: ['dropped', 'no message'], message: null, type: null, bookid: null })
  expect((await system().stock.ask('DELETE', path)).status).toBe(204)
  for (const method of ['GET', 'DELETE']) expect((await system().stock.ask(method, path)).status).toBe(404)
  expect((await lettersLike('limit=200')).map((it) => it.letterid)).not.toContain(letter!.letterid)
})

test('the programs of operators print the same partitions and letters', async () => {
  const { redisUrl, redisPrefix } = system()
  const DATABASE_URL = withDatabase(inject('postgresUrl'), redisPrefix)
  const run = async (command: string) => {
    const env = { ...process.env, DATABASE_URL, REDIS_URL: redisUrl, REDIS_PREFIX: redisPrefix }
    const [file, ...args] = command.split(' ')
    return (await promisify(execFile)(process.execPath, [file!, ...args], { cwd: root, env })).stdout
  }
  const partitions = await eventually(async () => {
    const all = await every<Partition>(system().stock, 'partitions', '/partitions')
    return all.every((it) => it.lag === 0) && all
  })
  const printed = (await run('deploy/ops/inspect.ts --service stock --all')).split('\n')
  const cells = printed.map((line) => line.split('│').map((it) => it.trim().replaceAll("'", '')))
  expect(cells.filter(([, name]) => name?.startsWith('stock ')).map((it) => it.slice(1, -1))).toEqual(
    partitions.map((it) => [
      `stock ${it.partition}`,
      it.owner,
      ...[it.epoch, it.offset, it.lag, it.pending, it.deadLetters].map(String),
    ]),
  )

  const letters = await lettersLike('limit=200')
  const list = await run('deploy/ops/dead-letters.ts list --service stock')
  for (const { partition, position, at } of letters) expect(list).toContain(`${partition} ${position}  ${at}`)
  expect(list).toContain(`${letters.length} dead letters.`)
  const [{ partition, position, letterid }] = letters as [Letter]
  const place = `--service stock --partition ${partition} --position ${position}`
  expect(await run(`deploy/ops/dead-letters.ts drop ${place}`)).toBe('1 dropped.\n')
  expect((await system().stock.get(`/dead-letters/${letterid}`)).status).toBe(404)
})

test('300 letters are listed in pages, oldest first, and those of a reason are redriven together', async () => {
  const many = range(300).map((i) => ({ partition: i % system().partitions, position: `${i + 1}-7` }))
  await system().sql`
    insert into stock.dead_letter (partition, position, type, reason, fields, at)
    select i % ${system().partitions}::int, i + 1 || '-7', 'Lost', 'too large', '{}', now() - (300 - i) * interval '1 ms'
    from generate_series(0, 299) as i`
  const expected = many.map(({ partition, position }) => `${partition}-${position}`)
  for (const query of ['type=Lost', 'reason=too%20large&limit=7', 'type=Lost&limit=200'])
    expect(
      (await lettersLike(query)).map((it) => it.letterid),
      query,
    ).toEqual(expected)
  const first = expected.filter((it) => it.startsWith('0-'))
  expect((await lettersLike('type=Lost&partition=0&limit=9')).map((it) => it.letterid)).toEqual(first)
  expect(await lettersLike('type=Found')).toEqual([])

  expect(await redrive(first[0]!)).toMatchObject({
    status: 409,
    body: { type: '/problems/not-redrivable', detail: 'too large' },
  })
  const post = (json: object) =>
    system().stock.post<{ redriven: number; until: string }>('/dead-letters/redrive', json)
  expect((await post({ type: 'Lost' })).body).toMatchObject({ redriven: 0, more: false })
  await system().sql`
    update stock.dead_letter set fields = '{no,message}' where position in ('1-7', '2-7', '3-7')`
  const { status, body } = await post({ reason: 'too large' })
  expect([status, body]).toMatchObject([202, { redriven: 3, more: false }])
  // They fail again, with the reason of this time.
  await eventually(async () => (await lettersLike('reason=too%20large')).length === 297)
  expect((await post({})).status).toBe(400)
})

test('a read of partitions counts so many letters and no more', async () => {
  await system().sql`
    insert into stock.dead_letter (partition, position, reason, fields)
    select 0, i || '-8', 'many', '{}' from generate_series(1, 50000) as i`
  const { body } = await system().stock.get<{ _embedded: { partitions: Partition[] } }>('/partitions')
  expect(body._embedded.partitions[0]).toMatchObject({ partition: 0, deadLetters: 1_000 })
  await system().sql`delete from stock.dead_letter where reason = 'many'`
})
