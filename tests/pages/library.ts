/** A library to look at: books, reservations in several states, dead letters, notices and alerts. */
import { eventually } from '../doubles/eventually.ts'
import { cancel, everyNotice, reserveAndWait } from '../harness/acts.ts'
import { postAlerts } from './operators.ts'
import type { Stage } from './stage.ts'
import { reader } from './states/state.ts'
import { freshIsbn } from './stock-room.ts'

const [long, author] = [
  'The Strange Case of the Extraordinarily Long Title That Goes On and On: 아주 길고 긴 제목을 가진 책의 이름입니다',
  'An Author with a Very Long Name, and Others',
]
const titles = [
  'Momo',
  '아주 길고 긴 제목을 가진 책의 이름으로 한 줄에 들어가지 않는 어떤 오래된 소설의 두 번째 개정판',
  'The Strange Case of the Extraordinarily Long Title That Goes On and On and Then a Little Further',
  '데미안',
  'Supercalifragilisticexpialidocious-Donaudampfschifffahrtsgesellschaftskapitän',
]
const reason =
  'error: new row for relation "hold" violates check constraint "a_very_long_name_of_a_constraint"'

/** Filled by `prepare`: what the paths of states name. */
export const ids: Record<string, string> = { reason: encodeURIComponent(reason) }

export async function prepare(stage: Stage): Promise<void> {
  const { system } = stage
  const { reservation, stock, notifier } = system
  const hold = async (bookid: string, userid: string, ...statuses: string[]) => {
    const { reservationid } = await reserveAndWait(reservation, bookid, userid)
    for (const status of statuses) await stock.patch(`/holds/${reservationid}`, { status })
    return reservationid
  }
  const { userid } = reader
  ids.isbn = freshIsbn()
  await stock.post('/stocks', { bookid: 'long', qty: 1, title: long, author })
  await stock.post('/stocks', { bookid: 'other', qty: 3, title: long, author })
  await stock.post('/stocks', { bookid: 'B'.repeat(128), qty: 1, title: 'W'.repeat(300), author: long })
  await stock.post('/stocks', { bookid: 'hot', qty: 6, title: titles[3], author, isbn: ids.isbn })
  ids.ready = await hold('long', userid, 'Ready')
  // As long as an id can be.
  await hold('B'.repeat(128), 'u'.repeat(128), 'Ready')
  await hold('other', 'another-reader')
  await hold('other', 'blocked')
  await hold('other', 'u'.repeat(128))
  ids.waiting = await hold('other', userid)
  ids.failed = await hold('unheard', userid)
  ids.returned = await hold('hot', 'visitor', 'Ready', 'Collected', 'Returned')
  ids.collected = await hold('hot', 'visitor', 'Ready', 'Collected')
  for (const name of ['mina', 'hana', 'jun']) await hold('hot', name, 'Ready')
  await hold('hot', 'sora')
  await reservation.put('/standings/blocked/block', {
    reason: 'Books came back wet',
    until: '2099-12-30T15:00:00Z',
  })
  const { body } = await stock.post<{ purchaseid: string }>('/purchases', { bookid: 'long', qty: 2 })
  ids.order = body.purchaseid
  await eventually(async () => (await reservation.get('/books/long')).status === 200)
  const fields = ['cloudevents', JSON.stringify([{ type: 'ReserveCopy', data: { userid: long } }])]
  await system.sql`
    insert into stock.dead_letter (partition, position, type, subject, reason, fields) values
      (0, '1-1', 'ReserveCopy', 'long', ${reason}, ${fields}), (1, '1-1', null, null, ${reason}, '{}')`
  await postAlerts(stage)
  const contact = {
    email: null,
    phone: null,
    webhook: 'http://127.0.0.1:9/',
    locale: 'ko',
    channels: ['webhook'],
  }
  await notifier.put('/customers/unreachable', contact)
  await hold('long', 'unreachable')
  const noticeOf = (query: string) =>
    eventually(
      async () => (await everyNotice(system, query)).find((it) => it.channel !== 'console')?.noticeid,
    )
  ids.notice = await eventually(async () => (await everyNotice(system, `&userid=${userid}`))[0]?.noticeid)
  ids.failing = await noticeOf('&userid=unreachable')
}

/** How many there are of each: more than a page shows, and of the queue more than a thousand. */
const [many, queue] = [120, 1_100]

/** Lists of several pages. */
export async function fill({ system }: Stage): Promise<void> {
  const { reservation, stock } = system
  const each = async (n: number, act: (i: number) => Promise<unknown>) => {
    const left = Array.from({ length: n }, (_, i) => i).values()
    const take = async () => {
      for (const i of left) await act(i)
    }
    await Promise.all(Array.from({ length: 16 }, take))
  }
  const reserve = async (bookid: string, userid: string, ...statuses: string[]) => {
    const { reservationid } = await reserveAndWait(reservation, bookid, userid)
    for (const status of statuses) await stock.patch(`/holds/${reservationid}`, { status })
    return reservationid
  }
  const about = (i: number) => ({
    title: `${titles[i % titles.length]} ${i}`,
    author: i % 4 > 0 ? author : '',
  })
  await each(many, (i) =>
    stock.post('/stocks', { bookid: `b-${i}`, qty: i % 7 ? 4 : 1_234, isbn: freshIsbn(), ...about(i) }),
  )
  await each(many, (i) => reserve(`b-${i}`, i < 3 ? 'visitor' : `reader-${i}`))
  await each(many, (i) => reserve(`b-${i}`, i > many - 5 ? 'visitor' : `customer-${i}`, 'Ready'))
  await each(40, async (i) => {
    const reservationid = await reserve(`b-${i + 5}`, 'visitor', 'Ready', 'Collected')
    if (i % 2) await stock.patch(`/holds/${reservationid}`, { status: 'Returned' })
  })
  await each(12, async (i) => cancel(reservation, await reserve(`b-${i + 50}`, 'visitor')))
  await each(many, (i) => reserve(`wanted-${i}`, `customer-${i}`))
  await each(many, (i) => stock.post('/purchases', { bookid: `b-${i}`, qty: i % 7 ? 3 : 1_500 }))
  await stock.put('/stocks/hot/rules', { queueMax: 10_000, queuePerCopy: null })
  await each(queue, (i) => reserve('hot', `hot-${i}`))
  const letters = Array.from({ length: many }, (_, i) => i)
  await system.sql`
    insert into stock.dead_letter (partition, position, type, subject, reason, fields)
    select 2, n || '-1', 'ReserveCopy', 'b-' || n, ${reason}, '{a,b}' from unnest(${letters}::int[]) n`
}
