/** Promise 5: messages about one book take effect in the order of its stream. */
import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import type { StockCommand } from '../../actors/messages.ts'
import { eventually, range } from '../doubles/eventually.ts'
import { everyStock, receive } from '../harness/acts.ts'
import { ownerOf, partitionOfBook } from '../harness/owner.ts'
import { Producer } from '../harness/producer.ts'
import { type System, startOwnSystem } from '../harness/system.ts'

test('effects follow the stream, message by message, even when the owner is killed', {
  timeout: 60_000,
}, async (context) => {
  await using system = await startOwnSystem(context, { stock: 2, reservation: 0, notifier: 0 })
  await using producer = new Producer(system)
  // Two books with mixed messages; the order within each must hold.
  const books = ['north', 'south']
  for (const bookid of books) await receive(system, bookid, 100)
  const sent = range(600).map((index) => commandFor(books[index % 2]!, index))

  const owner = await ownerOf(system, 'stock', partitionOfBook(system, 'north'))
  await producer.send(...sent.slice(0, 200))
  await producer.send(...sent.slice(200, 400))
  await owner.kill()
  await producer.send(...sent.slice(400))
  await owner.start()

  for (const bookid of books) {
    const mine = sent.filter((command) => command.bookid === bookid)
    await eventually(async () => (await effectsOf(system, bookid)).length >= mine.length, {
      timeoutMs: 20_000,
      message: `Some messages of ${bookid} had no effect`,
    })
    expect(await effectsOf(system, bookid)).toEqual(effectsExpected(mine, 100))
  }
  const stocks = await everyStock(system)
  expect(stocks.every(({ qty, held }) => qty >= 0 && held >= 0)).toBe(true)
  await versionsRiseByOne(system)
})

/** Reserves, sometimes a release of the reserve ten before, sometimes a receipt of one copy. */
function commandFor(bookid: string, index: number): StockCommand {
  if (index % 20 > 17) return { type: 'ReceiveCopies', bookid, commandid: randomUUID(), qty: 1 }
  const reservationid = idOf(index % 10 > 7 ? index - 4 : index)
  return { type: index % 10 > 7 ? 'ReleaseCopy' : 'ReserveCopy', bookid, reservationid, userid: 'ann' }
}
const idOf = (index: number) => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`

/** The expected effects when messages are handled one at a time. */
function effectsExpected(commands: StockCommand[], received: number): string[] {
  let available = received
  const holds = new Map<string, 'held' | 'refused' | 'released'>()
  return commands.map((command) => {
    if (command.type === 'ReceiveCopies') {
      available += command.qty
      return `CopiesReceived ${available}`
    }
    if (command.type !== 'ReserveCopy' && command.type !== 'ReleaseCopy')
      throw new Error(`Unexpected ${command.type}`)
    const { reservationid } = command
    if (command.type === 'ReserveCopy') {
      if (available === 0) {
        holds.set(reservationid, 'refused')
        return `ReservationRefused ${reservationid} ${available}`
      }
      available--
      holds.set(reservationid, 'held')
      return `CopyReserved ${reservationid} ${available}`
    }
    if (holds.get(reservationid) === 'held') available++
    holds.set(reservationid, 'released')
    return `CopyReleased ${reservationid} ${available}`
  })
}

/** The book's movements in order, after the first receipt. */
async function effectsOf(system: System, bookid: string): Promise<string[]> {
  const rows = await system.sql<{ type: string; data: Record<string, unknown> }[]>`
    select type, data from stock.event_log
    where subject = ${bookid} and type <> 'PurchaseRequested' order by partition, seq offset 1`
  return rows.map(({ type, data }) =>
    [type, data.reservationid, data.available].filter((part) => part !== undefined).join(' '),
  )
}

/** Every event that changes a book raises its version by one. */
async function versionsRiseByOne(system: System): Promise<void> {
  const jumps = await system.sql`
    select subject, version, before from (
      select subject, seq, (data->>'version')::int as version,
        lag((data->>'version')::int, 1, 0) over (partition by subject order by seq) as before
      from stock.event_log) as step
    where version - before not in (0, 1)`
  expect(jumps).toEqual([])
}
