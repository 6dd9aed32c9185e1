/** Promise 6: a stalled owner that wakes up late can change nothing. */
import { expect, inject, test } from 'vitest'
import { eventually, inParallel, range } from '../doubles/eventually.ts'
import { TcpProxy } from '../doubles/tcp-proxy.ts'
import { cancel, decided, receive, reserve, reserveAndWait } from '../harness/acts.ts'
import { audit } from '../harness/audit.ts'
import { withDatabase } from '../harness/database.ts'
import { leaseOf, ownerOf, partitionOfBook, sharedOut } from '../harness/owner.ts'
import { leaseTtlMs, type System, startOwnSystem } from '../harness/system.ts'

/** How long customers may wait for a new owner, beyond the lease. */
const takeoverMs = 2_000

test.concurrent('a frozen owner is replaced within its lease and 2 s, and when it thaws it changes nothing', {
  timeout: 60_000,
}, async (context) => {
  await using system = await startOwnSystem(context, { stock: 2 })
  await sharedOut(system, 'stock')
  await receive(system, 'book', 40)
  const partition = partitionOfBook(system, 'book')
  const owner = await ownerOf(system, 'stock', partition)
  const { epoch } = await leaseOf(system, 'stock', partition)

  // Frozen in the middle of its work: half of these are in flight.
  const accepted = await inParallel(range(60), 20, async (index) => {
    if (index === 30) owner.pause()
    return reserve(system.reservation, 'book', `reader-${index}`)
  })
  const frozenAt = performance.now()
  await decided(system.reservation, accepted.at(-1)!.reservationid)
  expect(performance.now() - frozenAt).toBeLessThan(leaseTtlMs + takeoverMs)

  const taken = await leaseOf(system, 'stock', partition)
  expect(taken.epoch).toBeGreaterThan(epoch)
  expect((await ownerOf(system, 'stock', partition)).pid).not.toBe(owner.pid)
  await Promise.all(accepted.map((it) => decided(system.reservation, it.reservationid)))
  const before = await snapshot(system)
  owner.resume()
  await sharedOut(system, 'stock')
  expect(await snapshot(system)).toEqual(before)

  // It works again, on the partitions that it gets now.
  const more = await inParallel(range(20), 10, (index) =>
    reserve(system.reservation, 'book', `later-${index}`),
  )
  accepted.push(...more)
  await audit(system, { received: { book: 40 }, accepted })
})

test.concurrent('a commit that reaches Postgres after another owner took over changes nothing', {
  timeout: 60_000,
}, async (context) => {
  await using wire = await TcpProxy.start(inject('postgresUrl'))
  await using system = await startOwnSystem(context, {
    stock: 2,
    envOf: (service, index, env) =>
      service === 'stock' && index === 0
        ? { DATABASE_URL: withDatabase(wire.url, new URL(env.DATABASE_URL!).pathname.slice(1)) }
        : {},
  })
  await sharedOut(system, 'stock')
  const behindWire = system.processes.stock[0]!
  const bookid = await bookOwnedBy(system, behindWire.pid)
  const partition = partitionOfBook(system, bookid)
  const stock = system.client('stock', 1)
  expect((await stock.post('/stocks', { bookid, qty: 10 })).status).toBe(201)
  const { reservationid } = await reserveAndWait(system.reservation, bookid, 'early')

  // From here on the wire holds back whatever it sends, without its knowledge.
  wire.silence('requests')
  const accepted = await inParallel(range(15), 15, (index) =>
    reserve(system.reservation, bookid, `reader-${index}`),
  )
  await cancel(system.reservation, reservationid)
  await Promise.all(accepted.map((it) => decided(system.reservation, it.reservationid)))
  expect((await ownerOf(system, 'stock', partition)).pid).not.toBe(behindWire.pid)

  const before = await snapshot(system)
  wire.restore()
  await sharedOut(system, 'stock')
  expect(await snapshot(system)).toEqual(before)
  await audit(system, { received: { [bookid]: 10 }, accepted: [...accepted, { reservationid }] })
})

/** Everything that an owner may change, except for the ownership itself. */
const snapshot = async (system: System) => ({
  mailbox: await eventually(
    () => system.sql`select partition, position, processed, seq from stock.mailbox order by 1`,
  ),
  books: await system.sql`select * from stock.book order by bookid`,
  holds: await system.sql`select * from stock.hold order by reservationid`,
  events: await system.sql`select partition, seq, id from stock.event_log order by partition, seq`,
})

/** The id of a book in a partition of that process. */
async function bookOwnedBy(system: System, pid: number): Promise<string> {
  for (const index of range(100)) {
    const bookid = `book-${index}`
    const owner = await ownerOf(system, 'stock', partitionOfBook(system, bookid))
    if (owner.pid === pid) return bookid
  }
  throw new Error(`Process ${pid} owns no partition`)
}
