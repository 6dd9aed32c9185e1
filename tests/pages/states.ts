/** States of the pages: each page, and what it shows after something was done. `prepare` fills the library for them. */
import { customers } from './states/customers.ts'
import { desk } from './states/desk.ts'
import { operations } from './states/operations.ts'
import { nobody, operator, purchaser, reader, type State, staff } from './states/state.ts'
import { stock } from './states/stock.ts'

export const pages: State[] = [
  { name: 'the books', path: '/' },
  { name: 'a search without a result', path: '/?q=9783522202558' },
  { name: 'a book', path: '/book/long', as: reader },
  { name: 'a book that was never here', path: '/book/unheard', as: reader },
  { name: 'my reservations', path: '/me', as: reader },
  { name: 'no reservations', path: '/me', as: nobody },
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
  { name: 'the desk with a customer', path: '/desk?scan=visitor', as: staff },
  { name: 'the copies to fetch', path: '/shelf/pull', as: staff },
  { name: 'the hold shelf', path: '/shelf/ready', as: staff },
  { name: 'a return that was not out', path: '/return?scan=nothing', as: staff },
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

export const states: State[] = [...customers, ...desk, ...stock, ...operations]

/** Of a library with nothing in it. */
export const empty: State[] = pages
  .filter(({ path }) => !/[?{]|^\/(me|as|book|nothing)\b|.\/other$|.\/.*\//.test(path))
  .map((it) => ({ ...it, name: `nothing: ${it.name}` }))
