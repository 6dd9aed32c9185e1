/** States of the pages for operators. */
import { send, turnedToEnd } from './acts.ts'
import { operator, type State, staff } from './state.ts'

export const operations: State[] = [
  {
    name: 'dead letters that were redriven',
    path: '/ops/letters?service=stock&reason={reason}&redriven=1000&more=true&until=2026-11-30T00:00:00.000Z',
    as: operator,
  },
  { name: 'a dead letter that was dropped', path: '/ops/letters?said=dropped', as: operator },
  { name: 'the last dead letters', path: '/ops/letters?service=stock', as: operator, act: turnedToEnd },
  { name: 'no dead letters', path: '/ops/letters?service=notifier', as: operator },
  { name: 'a dead letter that is hidden', path: '/ops/letters/stock/0-1-1', as: operator },
  { name: 'a dead letter that is gone', path: '/ops/letters/stock/0-9-9', as: operator, allowed: /404/ },
  { name: 'no notices', path: '/ops/notices?userid=nobody', as: operator },
  { name: 'a notice that fails', path: '/ops/notices/{failing}', as: operator },
  {
    name: 'no connection',
    path: '/receive',
    as: staff,
    allowed: /ERR_INTERNET_DISCONNECTED|htmx:/,
    async act(page) {
      await page.context().setOffline(true)
      await send(page, '#scan', 'other')
      await page.locator('#notices p').waitFor()
    },
  },
]
