import { afterAll, beforeAll, expect, test } from 'vitest'
import { commit } from '../../streams/commit.ts'
import { inBatches } from '../../streams/event-batch.ts'
import { isDataError, type Sql } from '../../streams/postgres.ts'
import { range } from '../../tests/doubles/eventually.ts'
import { openDatabase } from '../../tests/harness/database.ts'
import type { StockCommand } from '../messages.ts'
import { stockCommandHandler } from './handler.ts'
import { forgetPage } from './history.ts'
import { movements, stock } from './queries.ts'
import { presets } from './rules.ts'
import { BookActor, deadline, instants, withoutRules, withRules } from './testing.ts'

let database: Awaited<ReturnType<typeof openDatabase>>
beforeAll(async () => {
  database = await openDatabase('stock', 1)
})
afterAll(() => database[Symbol.asyncDispose]())

/** @returns the database, as it was before the first command. */
async function emptied(): Promise<Sql> {
  const { sql } = database
  const tables = await sql<{ name: string }[]>`
    select tablename as name from pg_tables
    where schemaname = current_schema and tablename not in ('mailbox', 'worker', 'migration', 'incarnation')`
  await sql`truncate ${sql(tables.map((it) => it.name))} restart identity`
  await sql`update mailbox set position = '0-0', processed = 0, seq = 0, trimmed = 0`
  return sql
}

/** A linear congruential generator (Numerical Recipes): the same numbers each time. */
function dice(seed: number) {
  let state = seed
  return (sides: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * sides)
  }
}

const uuid = (kind: number, n: number) => `0000000${kind}-0000-4000-8000-${String(n).padStart(12, '0')}`

/** Commands about a few books, with repeats and with releases that arrive first. */
function history(seed: number, length: number): StockCommand[] {
  const roll = dice(seed)
  return range(length).map((): StockCommand => {
    const n = roll(40)
    const bookid = `book-${n % 4}`
    const who = { reservationid: uuid(1, n), userid: `user-${n}` }
    const ids = { commandid: uuid(2, n), purchaseid: uuid(3, n) }
    return [
      { type: 'ReserveCopy' as const, bookid, ...who },
      { type: 'ReserveCopy' as const, bookid, ...who },
      { type: 'ReleaseCopy' as const, bookid, ...who },
      { type: 'ReceiveCopies' as const, bookid, ...ids, qty: roll(3), title: `title ${n}` },
      { type: 'OrderCopies' as const, bookid, ...ids, commandid: uuid(4, n), qty: 1 },
    ][roll(5)]!
  })
}

const receipt = (n: number, bookid: string): StockCommand => ({
  type: 'ReceiveCopies',
  bookid,
  commandid: uuid(2, n),
  qty: 1,
})

const envelope = {
  specversion: '1.0' as const,
  id: '1',
  source: '/x',
  type: 'x',
  subject: 'x',
  time: '',
  data: {},
}
const delivery = (partition: number, position: string, message: StockCommand) => ({
  partition,
  position,
  envelope,
  message,
})

/** Handles the commands as the worker does, in batches of `size`. The fence always holds. */
async function handled(sql: Sql, commands: StockCommand[], size: number, rules = withoutRules) {
  const decisions: string[] = []
  const handler = stockCommandHandler({
    ...rules,
    sql,
    committed: (_, decided) => void decisions.push(...decided.map((it) => JSON.stringify(it.event))),
  })
  let [seq, position, afterRefusal] = [0, 0, false]
  while (position < commands.length) {
    const from = position
    const batch = commands.slice(from, from + size).map((message) => delivery(0, `${++position}-0`, message))
    const effects = await handler.handle(batch, afterRefusal)
    const advance = {
      partition: 0,
      epoch: 0,
      from: `${from}-0`,
      to: `${position}-0`,
      count: batch.length,
      seq,
    }
    const events = inBatches(effects.events, [advance])
    const { writes, results } = effects
    const moved = { ...advance, from: from === 0 ? '0-0' : advance.from }
    const committing = commit(sql, { advances: [moved], events, letters: [], redriven: [], writes, results })
    const done = await committing.catch((error) => {
      if (afterRefusal || !isDataError(error)) throw error
    })
    afterRefusal = !done
    if (!done) {
      handler.forget?.(0)
      position = from
      continue
    }
    effects.committed?.(done.partitions, done.results)
    seq = events.at(-1)?.seq ?? seq
  }
  return {
    decisions,
    books:
      await sql`select bookid, title, available, held, version, received, shortage, requested_at is not null as requested
      from book order by bookid`,
    holds: await sql`select * from hold order by reservationid`,
    commands: await sql`select commandid, bookid, refused from command order by commandid`,
    claims:
      await sql`select reservationid, kind, place, turn, pickup_by, lapses_at from claim order by reservationid`,
    untended: await sql`select bookid from untended`,
    purchases: await sql`select purchaseid, bookid, qty, status from purchase order by purchaseid`,
    events: await sql`select seq, type, subject, data from event_log order by seq`,
  }
}

test.each([1, 2, 3])('any batching of the same commands has the same effects (history %i)', async (seed) => {
  const commands = history(seed, 150)
  const runs = []
  for (const size of [1, 7, 150]) {
    runs.push(await handled(await emptied(), commands, size))
  }
  const [oneByOne, inBatches, atOnce] = runs
  expect(oneByOne!.decisions.length).toBeGreaterThan(100)
  expect(oneByOne!.purchases.length).toBeGreaterThan(0)
  expect(inBatches).toEqual(oneByOne)
  expect(atOnce).toEqual(oneByOne)
})

/** Commands to books with rules: twins, queues that form and drain, deadlines, withdrawals. */
function historyWithRules(seed: number, length: number): StockCommand[] {
  const roll = dice(seed)
  return range(length)
    .map((i): StockCommand => {
      // Reservations come and go.
      const n = Math.floor(i / 25) + roll(8)
      const bookid = `book-${n % 2}`
      const { reservationid, userid } = { reservationid: uuid(1, n), userid: `user-${(n >> 1) % 9}` }
      const who = { bookid, reservationid, userid }
      const byStaff = { bookid, commandid: uuid(2, i), reservationid }
      const { commandid } = byStaff
      const at = instants[roll(3)]!
      const every: StockCommand[] = [
        { type: 'ReserveCopy', ...who },
        { type: 'ReserveCopy', ...who },
        { type: 'ReserveCopy', ...who },
        { type: 'ReleaseCopy', ...who },
        { type: 'ReceiveCopies', bookid, commandid, qty: 1 },
        { type: 'ShelveCopy', ...byStaff },
        { type: 'ShelveCopy', ...byStaff },
        { type: 'HandOverCopy', ...byStaff },
        { type: 'ReturnCopy', ...byStaff },
        { type: 'ExtendPickup', ...byStaff, pickupBy: at },
        { type: 'ExpireHold', bookid, reservationid, at },
        { type: 'LapseWait', bookid, reservationid, at },
        { type: 'WithdrawCopies', ...byStaff, qty: 1, reason: 'Lost' },
        { type: 'WithdrawCopies', bookid, commandid, qty: 2, reason: 'Damaged', evenHeld: true },
        { type: 'DeclinePurchase', bookid, commandid },
        {
          type: 'ChangeRules',
          bookid,
          commandid,
          rules: [{}, { onePerBook: false, pullStep: false }, { queueMax: 0 }][roll(3)]!,
        },
      ]
      return every[roll(every.length)]!
    })
    .flatMap((it) => (roll(8) ? [it] : [it, it]))
}

test.each([1, 2])(
  'any batching of commands to books with rules has the effects of one actor per book (history %i)',
  async (seed) => {
    const rules = { ...presets.library, queuePerCopy: null }
    const commands = historyWithRules(seed, 900)
    const actors = new Map(range(2).map((n) => [`book-${n}`, new BookActor(rules, `book-${n}`)]))
    const events = commands.flatMap((it) => actors.get(it.bookid)!.take(it))
    const kinds = new Set(events.map(({ type }) => type))
    // Nearly all.
    expect(kinds.size, [...kinds].join()).toBeGreaterThanOrEqual(15)
    const wanted = events.map((it) => JSON.stringify(it))
    const runs = []
    for (const size of [40, 900]) {
      const run = await handled(await emptied(), commands, size, withRules(rules, deadline, deadline))
      expect(run.decisions).toEqual(wanted)
      runs.push(run)
    }
    const [oneByOne, ...others] = runs
    expect(oneByOne!.claims.length).toBeGreaterThan(0)
    for (const other of others) expect(other).toEqual(oneByOne)
  },
  30_000,
)

const who = (n: number) => ({ bookid: 'b', reservationid: uuid(1, n), userid: `user-${n}` })
const reserve = (n: number, more = {}): StockCommand => ({ type: 'ReserveCopy', ...who(n), ...more })
const staff = (n: number) => ({ bookid: 'b', commandid: uuid(2, n) })
const handOver = (n: number, of: number): StockCommand => ({
  type: 'HandOverCopy',
  ...staff(n),
  reservationid: uuid(1, of),
})
const returned = (n: number, of: number): StockCommand => ({
  type: 'ReturnCopy',
  ...staff(n),
  reservationid: uuid(1, of),
})
const ruled = (n: number, rules: object): StockCommand => ({ type: 'ChangeRules', ...staff(n), rules })
const arrived = (n: number, qty: number): StockCommand => ({ type: 'ReceiveCopies', ...staff(n), qty })
const takeOne = (n: number): StockCommand => ({
  type: 'WithdrawCopies',
  ...staff(n),
  qty: 1,
  reason: 'Lost',
  evenHeld: true,
})

test.each<[name: string, given: StockCommand[], batch: StockCommand[]]>([
  ['a command that is refused comes twice', [arrived(1, 1), reserve(1)], [handOver(2, 9), handOver(2, 9)]],
  [
    'a customer may have one copy only, from now on',
    [ruled(1, { onePerBook: false }), arrived(2, 2), reserve(1)],
    [ruled(3, {}), reserve(2, { userid: 'user-1' })],
  ],
  [
    'the copy that would be taken back first is handed over',
    [arrived(1, 2), reserve(1), reserve(2)],
    [handOver(2, 2), takeOne(3)],
  ],
  [
    'a customer who came before there was a queue is the last to lose their copy',
    [ruled(1, { queueMax: 0 }), arrived(2, 2), reserve(1), ruled(3, {}), reserve(2)],
    [takeOne(4)],
  ],
  [
    'a customer who has bought a copy may buy another',
    [ruled(1, { lend: false }), arrived(2, 2), reserve(1)],
    [handOver(3, 1), reserve(2, { userid: 'user-1' })],
  ],
  [
    'copies of a book that is not lent any more come back, if they were lent',
    [arrived(1, 4), reserve(1), reserve(2), reserve(3), handOver(2, 1), reserve(4)],
    [handOver(3, 2), ruled(4, { lend: false }), handOver(5, 3), ...[1, 2, 3].map((n) => returned(5 + n, n))],
  ],
  [
    'a customer is served, and their copy handed over',
    [arrived(1, 1), reserve(1), reserve(2)],
    [arrived(2, 1), handOver(3, 2)],
  ],
])('one batch decides like one command after the other: %s', async (_, given, batch) => {
  const commands = [...given, ...batch]
  const actor = new BookActor(presets.library, 'b')
  const wanted = commands.flatMap((it) => actor.take(it)).map((it) => JSON.stringify(it))
  const runs = []
  for (const size of [1, given.length]) {
    runs.push(await handled(await emptied(), commands, size, withRules(presets.library, deadline, deadline)))
  }
  for (const run of runs) expect(run.decisions).toEqual(wanted)
  expect(runs[1]).toEqual(runs[0])
})

test('movements of a book are paged newest first, with any page size and any number per commit', async () => {
  const sql = await emptied()
  await handled(sql, history(5, 150), 150)
  for (const bookid of range(4).map((n) => `book-${n}`)) {
    const logged = await sql<{ seq: number; id: string }[]>`
      select seq, id from event_log where subject = ${bookid} order by seq desc`
    expect(logged.length).toBeGreaterThan(10)
    for (const limit of [1, 3, 200]) {
      const found: { seq: number; id: string }[] = []
      for (let page = await movements(sql, bookid, limit); page.length > 0; ) {
        found.push(...page.map(({ seq, id }) => ({ seq, id })))
        page = await movements(sql, bookid, limit, page.at(-1)!.seq)
      }
      expect(found).toEqual(logged)
    }
  }
})

test('repeated commands have no second effect and get the same answers', async () => {
  const sql = await emptied()
  const commands = history(4, 80)
  const before = await handled(sql, commands, 80)
  await sql`update mailbox set position = '0-0', seq = 0`
  await sql`delete from event_batch`
  await sql`delete from event_subject`
  const after = await handled(sql, commands, 80)
  for (const table of ['books', 'holds', 'commands', 'purchases'] as const)
    expect(after[table]).toEqual(before[table])
  const answers = (events: string[]) => events.filter((it) => it.includes('reservationid')).length
  expect(answers(after.decisions)).toBe(answers(before.decisions))
})

test('a command that is refused, and repeated in the same batch or the next, stays refused', async () => {
  const withdrawal = (n: number): StockCommand => ({
    type: 'WithdrawCopies',
    bookid: 'b',
    commandid: uuid(5, n),
    qty: 1,
    reason: 'Lost',
  })
  const [first, second] = [withdrawal(1), withdrawal(2)]
  const repeated = [first, first, second, second]
  const { commands } = await handled(await emptied(), repeated, 3, withRules(presets.library))
  expect(commands.map((it) => it.refused)).toEqual(['CopiesHeld', 'CopiesHeld'])
})

test('copies that were ordered before anyone counted them are on order until they arrive', async () => {
  await using database = await openDatabase('stock', 1)
  const { sql } = database
  const [old, other] = [uuid(3, 1), uuid(3, 2)]
  await sql`insert into book (bookid, received) values ('b', true)`
  await sql`insert into purchase (purchaseid, bookid, qty, status)
    values (${old}, 'b', 3, 'ordered'), (${other}, 'b', 9, 'received')`
  const ordered = async () => (await stock(sql, 'b'))!.on_order
  expect(await ordered()).toBe(3)
  const order: StockCommand = {
    type: 'OrderCopies',
    bookid: 'b',
    commandid: uuid(4, 1),
    purchaseid: uuid(3, 3),
    qty: 2,
  }
  const part = { ...receipt(1, 'b'), purchaseid: old } as StockCommand
  const rest = { ...receipt(2, 'b'), purchaseid: old, qty: 2 } as StockCommand
  await sql`update mailbox set position = '0-0', seq = 0`
  const counts = []
  for (const command of [reserve(1), order, part, rest]) {
    await handled(sql, [command], 1, withRules(presets.library))
    counts.push(await ordered())
    await sql`update mailbox set position = '0-0', seq = 0`
    await sql`truncate event_batch, event_subject`
  }
  expect(counts).toEqual([3, 5, 4, 2])
})

test.each([1, 9])(
  'a copy that was held before its book had rules gets a claim (batches of %i)',
  async (size) => {
    await using database = await openDatabase('stock', 1)
    const { sql } = database
    const claim = (n: number): StockCommand => ({ type: 'ClaimHold', bookid: 'b', reservationid: uuid(1, n) })
    const library: StockCommand = { type: 'ChangeRules', ...staff(2), rules: presets.library }
    const before = [
      receipt(1, 'b'),
      { ...receipt(3, 'b'), qty: 4 } as StockCommand,
      ...[1, 2, 3, 4].map((n) => reserve(n)),
    ]
    // No claim yet of rules that are original, nor of copies that are handed over or released.
    const meanwhile = [claim(1), library, handOver(4, 2), { type: 'ReleaseCopy', ...who(3) } as StockCommand]
    const claims = [claim(1), claim(1), claim(2), claim(3), claim(4), claim(9)]
    const after = [reserve(5, { userid: 'user-1' }), { type: 'ReleaseCopy', ...who(4) } as StockCommand]
    const run = await handled(sql, [...before, ...meanwhile, ...claims, ...after], size)
    expect(run.claims).toMatchObject([
      { reservationid: uuid(1, 1), kind: 'held', place: null },
      { reservationid: uuid(1, 2), kind: 'out' },
    ])
    const refusal = { type: 'ReservationRefused', reason: 'AlreadyReserved', other: uuid(1, 1) }
    expect(JSON.parse(run.decisions.at(-2)!)).toMatchObject(refusal)
  },
)

test.each([1, 20])(
  'FO2: a hold that is over forgets its customer when asked (batches of %i)',
  async (size) => {
    const sql = await emptied()
    const forget = (n: number): StockCommand => ({
      type: 'ClaimHold',
      bookid: 'b',
      reservationid: uuid(1, n),
      forget: true,
    })
    const release = (n: number): StockCommand => ({ type: 'ReleaseCopy', ...who(n) })
    const library: StockCommand = {
      type: 'ChangeRules',
      ...staff(2),
      rules: { ...presets.library, queueMax: 0 },
    }
    const before = [
      library,
      { ...receipt(1, 'b'), qty: 3 } as StockCommand,
      ...[1, 2, 3, 4].map((n) => reserve(n)),
      release(1),
      handOver(5, 2),
    ]
    await handled(sql, before, size)
    const restart = async () => {
      await sql`update mailbox set position = '0-0', seq = 0`
      await sql`truncate event_batch, event_subject`
    }
    await restart()
    // The copy of 2 is out, 3 is held, and 9 was never heard of.
    const asked = await handled(sql, [1, 1, 2, 3, 4, 9].map(forget), size)
    expect(asked.decisions).toEqual([])
    const names = (holds: readonly { status: string; userid: string }[]) =>
      holds.map((it) => [it.status, it.userid])
    expect(names(asked.holds as never)).toEqual([
      ['released', ''],
      ['collected', 'user-2'],
      ['held', 'user-3'],
      ['refused', ''],
    ])
    await restart()
    // Repeated commands are answered as before.
    const again = await handled(sql, [release(1), reserve(1), reserve(4)], size)
    expect(again.decisions.map((it) => JSON.parse(it))).toMatchObject([
      { type: 'CopyReleased', userid: 'user-1' },
      { type: 'CopyReleased', userid: 'user-1' },
      { type: 'ReservationRefused', userid: 'user-4' },
    ])
  },
)

test('a hold that changes in the batch of its erasure keeps its end', async () => {
  const sql = await emptied()
  const forget: StockCommand = { type: 'ClaimHold', bookid: 'b', reservationid: uuid(1, 1), forget: true }
  const release: StockCommand = { type: 'ReleaseCopy', ...who(1) }
  const run = await handled(sql, [receipt(1, 'b'), reserve(1), release, forget], 1)
  expect(run.holds).toMatchObject([{ status: 'released', userid: '' }])
  const together = await emptied()
  await handled(together, [receipt(1, 'b'), reserve(1)], 2)
  await together`update mailbox set position = '0-0', seq = 0`
  await together`truncate event_batch, event_subject`
  const { holds } = await handled(together, [release, forget], 2)
  expect(holds).toMatchObject([{ status: 'released', userid: 'user-1' }])
})

test('after some days a hold that is over names no customer, and one that is forgotten is not returned', async () => {
  const sql = await emptied()
  const sold: StockCommand = { type: 'ChangeRules', ...staff(2), rules: presets.bookshop }
  await handled(sql, [sold, receipt(1, 'b'), receipt(3, 'b'), reserve(1), reserve(2), handOver(4, 1)], 9)
  const before = 'ffffffff-0000-0000-0000-000000000000'
  const none = '00000000-0000-0000-0000-000000000000'
  expect(await forgetPage(sql, none, uuid(1, 1))).toEqual({ last: null, forgotten: 0 })
  const page = await forgetPage(sql, none, before)
  expect(page).toEqual({ last: uuid(1, 2), forgotten: 1 })
  expect((await forgetPage(sql, page.last!, before)).last).toBeNull()
  await sql`update mailbox set position = '0-0', seq = 0`
  await sql`truncate event_batch, event_subject`
  const lent: StockCommand = { type: 'ChangeRules', ...staff(5), rules: presets.library }
  const back: StockCommand = { type: 'ReturnCopy', ...staff(6), reservationid: uuid(1, 1) }
  const run = await handled(sql, [lent, back], 9)
  expect(run.commands.find((it) => it.commandid === staff(6).commandid)).toMatchObject({ refused: 'NotOut' })
  expect(run.holds).toMatchObject([
    { status: 'collected', userid: '' },
    { status: 'held', userid: 'user-2' },
  ])
})

test('a reservation that two partitions decide concurrently holds a copy of one book only', async () => {
  await using database = await openDatabase('stock', 2)
  const { sql } = database
  await handled(sql, [receipt(1, 'a'), receipt(2, 'b')], 2)
  const handler = stockCommandHandler({ ...withoutRules, sql, committed() {} })
  const offset = { epoch: 0, count: 1, seq: 0, to: '9-0' }
  const advances = [
    { ...offset, partition: 0, from: '2-0', seq: 2 },
    { ...offset, partition: 1, from: '0-0' },
  ]
  const reserve = (bookid: string) => ({
    type: 'ReserveCopy' as const,
    bookid,
    reservationid: uuid(1, 1),
    userid: 'u',
  })
  const [first, second] = await Promise.all([
    handler.handle([delivery(0, '9-0', reserve('a'))]),
    handler.handle([delivery(1, '9-0', reserve('b'))]),
  ])
  const committed = (index: 0 | 1, { writes, events }: typeof first) =>
    commit(sql, {
      advances: [advances[index]!],
      events: inBatches(events, [advances[index]!]),
      letters: [],
      redriven: [],
      writes,
      results: undefined,
    })
  await committed(0, first!)
  await expect(committed(1, second!)).rejects.toSatisfy(isDataError)
  expect(await sql`select bookid, held from book order by bookid`).toEqual([
    { bookid: 'a', held: 1 },
    { bookid: 'b', held: 0 },
  ])
  // Decided again with every lookup, the command is recognized as belonging to another book.
  expect((await handler.handle([delivery(1, '9-0', reserve('b'))], true)).poison).toMatchObject([
    { partition: 1 },
  ])
})

test('an invalid command is rejected', () => {
  const { parse } = stockCommandHandler({ ...withoutRules, sql: undefined as never, committed() {} })
  const envelope = { specversion: '1.0' as const, id: '1', source: '/x', subject: 'b', time: '' }
  const valid = {
    ...envelope,
    type: 'ReserveCopy',
    data: { reservationid: uuid(1, 1), userid: 'u' },
  }
  expect(parse(valid)).toEqual({ type: 'ReserveCopy', bookid: 'b', reservationid: uuid(1, 1), userid: 'u' })
  // Postgres returns lower case: parsed as anything else, a repeat would not be recognized.
  const upperCase = { reservationid: uuid(1, 1).toUpperCase(), userid: 'U' }
  expect(parse({ ...valid, data: upperCase })).toMatchObject({ reservationid: uuid(1, 1), userid: 'U' })
  for (const change of [
    { type: 'BurnCopy' },
    { data: {} },
    { data: { '0': 'a' } },
    { subject: 'two words' },
    { data: { reservationid: 'no uuid', userid: 'u' } },
  ])
    expect(() => parse({ ...valid, ...change })).toThrow()
})

test.each([1, 20])(
  'a copy whose customer is blocked is not handed over until the block ends (batches of %i)',
  async (size) => {
    const sql = await emptied()
    const past = new Date(Date.now() - 60_000).toISOString()
    const block = (n: number, it: { until: string | null } | null): StockCommand => ({
      type: 'ClaimHold',
      bookid: 'b',
      reservationid: uuid(1, n),
      block: it,
    })
    const before = [
      { type: 'ChangeRules', ...staff(2), rules: presets.bookshop } as StockCommand,
      { ...receipt(1, 'b'), qty: 4 } as StockCommand,
      block(1, { until: null }),
      ...[1, 2, 3, 4].map((n) => reserve(n)),
      block(2, { until: null }),
      block(3, { until: null }),
    ]
    const refused = [handOver(11, 1), handOver(12, 2), handOver(13, 3)]
    // Of one that is over, nothing is noted.
    const after = [block(2, null), handOver(14, 2), block(2, { until: null }), handOver(15, 4)]
    const run = await handled(sql, [...before, ...refused, ...after, block(3, { until: past })], size)
    const refusals = new Map(run.commands.map((it) => [it.commandid, it.refused]))
    expect([11, 12, 13, 14, 15].map((n) => refusals.get(staff(n).commandid))).toEqual([
      'CustomerBlocked',
      'CustomerBlocked',
      'CustomerBlocked',
      null,
      null,
    ])
    const blocked = () => sql`select reservationid from blocked_hold order by reservationid`
    expect(await blocked()).toEqual([{ reservationid: uuid(1, 1) }, { reservationid: uuid(1, 3) }])

    const again = async (commands: StockCommand[]) => {
      await sql`update mailbox set position = '0-0', seq = 0`
      await sql`truncate event_batch, event_subject`
      return await handled(sql, commands, size)
    }
    // The time of the third block is over; the first reservation ends, and is forgotten later.
    const { holds } = await again([handOver(16, 3), { type: 'ReleaseCopy', ...who(1) }])
    expect(holds.map((it) => it.status)).toEqual(['released', 'collected', 'collected', 'collected'])
    await again([{ type: 'ClaimHold', bookid: 'b', reservationid: uuid(1, 1), forget: true }])
    expect(await blocked()).toEqual([{ reservationid: uuid(1, 3) }])
    await forgetPage(sql, uuid(0, 0), uuid(9, 9))
    expect(await blocked()).toEqual([])
  },
)
