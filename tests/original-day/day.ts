/** The requests of a day in a library whose books have the rules `original`, one after the other. */
import type { ServiceName } from '../../platform/config.ts'
import { Random } from '../faults/random.ts'

export type Call = {
  service: ServiceName
  method: 'GET' | 'POST' | 'PUT' | 'PATCH'
  /** `{n}` is the id of the nth reservation that was accepted. */
  path: string
  json?: Record<string, unknown>
  headers?: Record<string, string>
}

const get = (service: ServiceName, path: string): Call => ({ service, method: 'GET', path })

const post = (service: ServiceName, path: string, json: object, key: string, waitS?: number): Call => ({
  service,
  method: 'POST',
  path,
  json: { ...json },
  headers: { 'idempotency-key': key, ...(waitS && { prefer: `wait=${waitS}` }) },
})

const receive = (bookid: string, qty: number, key: string, more = {}) =>
  post('stock', '/stocks', { bookid, qty, ...more }, key)

const reserve = (bookid: string, userid: string, key: string, waitS: number | undefined = 20) =>
  post('reservation', '/reservations', { bookid, userid }, key, waitS)

const order = (bookid: string, qty: number, key: string) => post('stock', '/purchases', { bookid, qty }, key)

const cancel = (reservation: number): Call => ({
  service: 'reservation',
  method: 'PATCH',
  path: `/reservations/{${reservation}}`,
  json: { status: 'Canceled' },
})

const momo = { title: '모모', author: 'Michael Ende', isbn: '9783522202558' }

const morning: Call[] = [
  { service: 'notifier', method: 'PUT', path: '/customers/ann', json: { locale: 'en' } },
  get('notifier', '/customers/ann'),
  receive('momo', 2, 'receipt 1', momo),
  receive('momo', 2, 'receipt 1', momo),
  receive('momo', 3, 'receipt 1', momo),
  receive('solo', 1, 'receipt 2'),
  receive('none', 0, 'receipt 3', { title: 'None' }),
  receive('momo', -1, 'receipt 4'),
  reserve('momo', 'ann', 'ann 1'),
  reserve('momo', 'ann', 'ann 1'),
  reserve('solo', 'ann', 'ann 1'),
  reserve('momo', 'ann', 'ann 2', 0),
  reserve('momo', 'ben', 'ben 1'),
  reserve('momo', 'ben', 'ben 1'),
  reserve('none', 'cat', 'cat 1'),
  reserve('unknown', 'cat', 'cat 2'),
  reserve('', 'cat', 'cat 3'),
  get('reservation', '/reservations/{0}'),
  get('reservation', '/reservations/{2}'),
  get('reservation', '/reservations/00000000-0000-4000-8000-000000000000'),
  get('stock', '/stocks/momo'),
  get('stock', '/stocks/unknown'),
  get('stock', '/purchase-requests'),
  cancel(0),
  cancel(0),
  cancel(2),
  { ...cancel(1), json: { status: 'Reserved' } },
  reserve('momo', 'ann', 'ann 1'),
  reserve('momo', 'dan', 'dan 1'),
  order('momo', 2, 'order 1'),
  order('momo', 2, 'order 1'),
  get('stock', '/purchases'),
  reserve('solo', 'eve', 'eve 1'),
  cancel(6),
  cancel(6),
  receive('unknown', 1, 'receipt 5'),
  reserve('unknown', 'cat', 'cat 4'),
]

/** Requests picked at random. */
function afternoon(random: Random): Call[] {
  const books = ['momo', 'solo', 'none', 'unknown', 'new']
  const users = ['ann', 'ben', 'cat', 'dan', 'eve', 'fay']
  return Array.from({ length: 30 }, (_, n) => {
    const bookid = random.pick(books)
    const userid = random.pick(users)
    const qty = random.below(3)
    // Of the morning's.
    const reservation = random.below(9)
    return random.weighted<Call>([
      [reserve(bookid, userid, `key ${n}`), 12],
      [reserve(bookid, userid, `key ${n}`, 0), 4],
      [cancel(reservation), 3],
      [receive(bookid, qty, `key ${n}`), 4],
      [order(bookid, qty + 1, `key ${n}`), 1],
    ])
  })
}

const evening: Call[] = [
  ...['ann', 'ben', 'cat'].map((userid) => get('reservation', `/reservations?userid=${userid}&limit=100`)),
  get('reservation', '/reservations?bookid=momo&status=Reserved&limit=100'),
  get('reservation', '/books?limit=100'),
  get('reservation', '/books?q=momo'),
  get('stock', '/stocks?limit=100'),
  get('stock', '/stocks/momo/movements?limit=10'),
  get('stock', '/purchase-requests?limit=100'),
  get('stock', '/purchases?limit=100'),
  get('notifier', '/notices?userid=ann&limit=100'),
]

export const day: readonly Call[] = [...morning, ...afternoon(new Random(1)), ...evening]
