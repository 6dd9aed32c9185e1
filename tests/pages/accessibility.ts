/** Every page, in both languages: axe finds nothing, in both schemes, on a phone and on a desk. */
import { beforeAll, describe, test } from 'vitest'
import { eventually } from '../doubles/eventually.ts'
import { everyNotice, reserveAndWait } from '../harness/acts.ts'
import { postAlerts } from './operators.ts'
import { expectAccessible, type Stage } from './stage.ts'

type Visited = {
  name: string
  path: string
  as?: { userid: string; role: string }
  /** Errors on the console that belong to the page. */
  allowed?: RegExp
}

const [long, author] = [
  'The Strange Case of the Extraordinarily Long Title That Goes On and On: 아주 길고 긴 제목을 가진 책의 이름입니다',
  'An Author with a Very Long Name, and Others',
]
const reader = { userid: 'reader-of-long-titles', role: 'customer' }
const staff = { userid: 'jun', role: 'stock-manager' }
const purchaser = { userid: 'hana', role: 'purchaser' }
const operator = { userid: 'ops', role: 'operator' }
const reason =
  'error: new row for relation "hold" violates check constraint "a_very_long_name_of_a_constraint"'
/** Filled by `prepare`. */
const ids: Record<string, string> = { reason: encodeURIComponent(reason) }

const visited: Visited[] = [
  { name: 'the books', path: '/' },
  { name: 'a search without a result', path: '/?q=9783522202558' },
  { name: 'a book', path: '/book/long', as: reader },
  { name: 'a book that was never here', path: '/book/unheard', as: reader },
  { name: 'my reservations', path: '/me', as: reader },
  { name: 'no reservations', path: '/me', as: { userid: 'new-reader', role: 'customer' } },
  { name: 'a reservation', path: '/me/{ready}', as: reader },
  { name: 'my settings', path: '/me/settings', as: reader },
  { name: 'my data', path: '/me/data', as: reader },
  { name: 'a receipt', path: '/receive?received=other&qty=1', as: staff },
  { name: 'a receipt of a new book', path: '/receive?scan=9783522202558', as: staff },
  { name: 'a delivery', path: '/receive/csv', as: staff },
  { name: 'all stock', path: '/stock', as: staff },
  { name: 'the stock of a book', path: '/stock/other', as: staff },
  { name: 'what is wanted', path: '/wanted', as: purchaser },
  { name: 'orders', path: '/orders', as: staff },
  { name: 'who you are', path: '/as', as: reader },
  { name: 'the desk with a customer', path: '/desk?scan=many-1', as: staff },
  { name: 'the copies to fetch', path: '/shelf/pull', as: staff },
  { name: 'the hold shelf', path: '/shelf/ready', as: staff },
  { name: 'a return that was not out', path: '/return?scan=staff-1', as: staff },
  { name: 'operations', path: '/ops', as: operator },
  { name: 'dead letters', path: '/ops/letters', as: operator },
  { name: 'dead letters of a reason', path: '/ops/letters?service=stock&reason={reason}', as: operator },
  { name: 'a dead letter', path: '/ops/letters/stock/0-1-1?content=shown', as: operator },
  { name: 'the end of a dead letter', path: '/ops/letters/stock/0-1-1/drop', as: operator },
  { name: 'notices', path: '/ops/notices', as: operator },
  { name: 'a notice', path: '/ops/notices/{notice}', as: operator },
  { name: 'alerts', path: '/ops/alerts', as: operator },
  { name: 'a page that does not exist', path: '/nothing', allowed: /404/ },
]

/** Reservations in several states, of a book with a long title. */
async function prepare(stage: Stage): Promise<void> {
  const { system } = stage
  const { reservation, stock } = system
  await stock.post('/stocks', { bookid: 'long', qty: 1, title: long, author })
  await stock.post('/stocks', { bookid: 'other', qty: 1, title: long, author })
  await stock.post('/stocks', { bookid: 'B'.repeat(128), qty: 1, title: 'W'.repeat(300), author: long })
  const { userid } = reader
  const { reservationid } = await reserveAndWait(reservation, 'long', userid)
  await stock.patch(`/holds/${reservationid}`, { status: 'Ready' })
  ids.ready = reservationid
  await reserveAndWait(reservation, 'other', 'another-reader')
  await reserveAndWait(reservation, 'other', userid)
  await reserveAndWait(reservation, 'unheard', userid)
  // As long as an id can be.
  const { reservationid: longest } = await reserveAndWait(reservation, 'B'.repeat(128), 'u'.repeat(128))
  await stock.patch(`/holds/${longest}`, { status: 'Ready' })
  await reserveAndWait(reservation, 'other', 'u'.repeat(128))
  await stock.post('/purchases', { bookid: 'long', qty: 2 })
  await eventually(async () => (await reservation.get('/books/long')).status === 200)
  const fields = ['cloudevents', JSON.stringify([{ type: 'ReserveCopy', data: { userid: long } }])]
  await system.sql`
    insert into stock.dead_letter (partition, position, type, subject, reason, fields) values
      (0, '1-1', 'ReserveCopy', 'long', ${reason}, ${fields}), (1, '1-1', null, null, ${reason}, '{}')`
  await postAlerts(stage)
  ids.notice = await eventually(async () => {
    const [notice] = await everyNotice(system, `&userid=${userid}`)
    return notice?.noticeid
  })
}

/** Axe reads a page four times, on a machine that may be busy. */
const patienceMs = 90_000

export function accessibility(stage: () => Stage): void {
  describe('for everybody:', () => {
    beforeAll(() => prepare(stage()))
    describe.each(['ko', 'en'])('in %s,', (locale) => {
      test.each(visited)('$name', { timeout: patienceMs }, (it) => visit(stage(), it, locale))
    })
  })
}

/** Pages with most of what pages are made of, in one language each. */
const sampled = { 'a book': 'ko', 'the desk with a customer': 'en', 'what is wanted': 'ko' }

export function sample(stage: () => Stage): void {
  describe('for everybody:', () => {
    beforeAll(() => prepare(stage()))
    test.each(Object.entries(sampled))('%s, in %s', (name, locale) =>
      visit(stage(), visited.find((it) => it.name === name)!, locale),
    )
  })
}

async function visit(stage: Stage, { path, as, allowed }: Visited, locale: string): Promise<void> {
  const page = await stage.window({ locale, ...(as && { as }), ...(allowed && { allowed }) })
  await page.goto(path.replaceAll(/\{(\w+)\}/g, (_, name) => ids[name]!))
  await expectAccessible(page)
}
