/** States of the pages: each page, and what it shows after something was done. `prepare` fills the library for them. */
import type { Page } from 'playwright-core'
import type { ServiceName } from '../../platform/config.ts'

export type State = {
  name: string
  /** With names of `ids` in braces. */
  path: string
  as?: { userid: string; role: string }
  /** Errors on the console that belong to the page. */
  allowed?: RegExp
  /** Acts as the person does on the page. */
  act?(page: Page): Promise<unknown>
}

export const reader = { userid: 'reader-of-long-titles', role: 'customer' }
export const staff = { userid: 'jun', role: 'stock-manager' }
const purchaser = { userid: 'hana', role: 'purchaser' }
const operator = { userid: 'ops', role: 'operator' }
const nobody = { userid: 'new-reader', role: 'customer' }

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

/** @returns an act: what asks before it is done is opened. */
const unfold = (which: number) => (page: Page) => page.locator('main summary').nth(which).click()

/** Sends the form of a field, whatever the browser thinks of it. */
async function send(page: Page, field: string, value: string): Promise<void> {
  const form = page.locator('form').filter({ has: page.locator(field) })
  await form.first().evaluate((it: HTMLFormElement) => {
    it.noValidate = true
  })
  await form.first().locator(field).fill(value)
  await form.first().locator('button').last().click()
}

/** @returns an act: sends the form of the field, and waits for what it causes. */
const sending = (field: string, value: string, effect: string) => async (page: Page) => {
  await send(page, field, value)
  await page.locator(effect).first().waitFor()
}

const checking =
  (file: string, ...effects: string[]) =>
  async (page: Page) => {
    await page
      .locator('#file')
      .setInputFiles({ name: 'delivery.csv', mimeType: 'text/csv', buffer: Buffer.from(file) })
    await page.locator('#delivery button').click()
    for (const [i, effect] of effects.entries()) {
      if (i > 0) await page.locator('#report button').click()
      await page.locator(effect).waitFor()
    }
  }

const faulty = `bookid,isbn,title,author,qty,shelf
momo,9783522202558,Momo,Ende,3,a
,9.78E+12,데미안,헤세,x,b
한글,,아주 길고 긴 제목,,1,c
`

/** Of customers. */
const customers: State[] = [
  { name: 'a search', path: '/?q=Title' },
  { name: 'only available books', path: '/?available=true' },
  { name: 'the books on another page', path: '/', act: turned },
  { name: 'the last books', path: '/', act: turnedToEnd },
  { name: 'a book to reserve', path: '/book/other', as: nobody },
  { name: 'a book that can wait', path: '/book/hot', as: nobody },
  { name: 'a book of which nobody knows who reserves', path: '/book/other' },
  { name: 'a reservation about to be canceled', path: '/me', as: reader, act: unfold(0) },
  { name: 'a canceled reservation', path: '/me?said=canceled&at={ready}', as: reader },
  { name: 'a reservation that failed', path: '/me/{failed}', as: reader },
  { name: 'a reservation that waits', path: '/me/{waiting}', as: reader },
  { name: 'a copy at home', path: '/me/{collected}', as: { userid: 'visitor', role: 'customer' } },
  { name: 'a long history', path: '/me', as: { userid: 'visitor', role: 'customer' } },
  {
    name: 'the second page of a history',
    path: '/me',
    as: { userid: 'visitor', role: 'customer' },
    act: turned,
  },
  { name: 'a place in a long queue', path: '/me', as: { userid: 'hot-1050', role: 'customer' } },
  { name: 'settings that were saved', path: '/me/settings?said=saved', as: reader },
  {
    name: 'settings that are wrong',
    path: '/me/settings',
    as: reader,
    allowed: /422/,
    async act(page) {
      await page.locator('#phone').fill('12')
      await sending('#email', 'nobody', '[role=alert] li')(page)
    },
  },
  {
    name: 'data that cannot be erased yet',
    path: '/me/data',
    as: reader,
    allowed: /409/,
    async act(page) {
      await page.locator('[name=confirm]').check()
      await page.locator('main form button').click()
      await page.locator('main [role=alert].notice').waitFor()
    },
  },
  { name: 'nobody', path: '/as' },
  {
    name: 'a name that cannot be one',
    path: '/as',
    allowed: /422/,
    act: sending('#userid', '가 나', '#userid-fault'),
  },
  {
    name: 'a form that fails',
    path: '/as',
    allowed: /500/,
    async act(page) {
      const headers = { 'content-type': 'multipart/form-data; boundary=it' }
      await page.route('/as', (route) =>
        route.continue({ headers: { ...route.request().headers(), ...headers } }),
      )
      await sending('#userid', 'mina', 'h1:not(:has-text("?"))')(page)
    },
  },
  { name: 'a page for others', path: '/desk', as: reader, allowed: /403/ },
  { name: 'a list that does not exist', path: '/?after=x', as: reader, allowed: /400/ },
]

/** Of the desk and the shelf. */
const work: State[] = [
  { name: 'the desk', path: '/desk', as: staff },
  { name: 'the desk with a code', path: '/desk?scan={ready}', as: staff },
  {
    name: 'the desk with the card of another customer',
    path: '/desk?scan={ready}',
    as: staff,
    allowed: /409/,
    act: sending('#card', 'somebody', '.answer.bad'),
  },
  { name: 'the desk with several copies of a book', path: '/desk?scan={isbn}', as: staff },
  { name: 'the desk with a customer of nothing', path: '/desk?scan=nobody', as: staff },
  { name: 'the desk with a scan of nothing', path: '/desk?scan=AB-CD%20%ED%95%9C', as: staff },
  { name: 'a copy handed over', path: '/desk?did=handedOver&of={collected}&userid=visitor', as: staff },
  { name: 'a cancellation at the desk', path: '/desk?scan=visitor', as: staff, act: unfold(0) },
  {
    name: 'a block at the desk',
    path: '/desk?scan=visitor',
    as: staff,
    act: (page) => page.locator('main summary').last().click(),
  },
  { name: 'a customer who is blocked', path: '/desk?scan=blocked', as: staff },
  { name: 'a copy to fetch', path: '/shelf/pull?scan=other', as: staff },
  { name: 'a copy that is not to be fetched', path: '/shelf/pull?scan=nope', as: staff },
  { name: 'a copy that cannot be found', path: '/shelf/pull', as: staff, act: unfold(0) },
  { name: 'a copy put on the shelf', path: '/shelf/pull?did=shelved&of={ready}', as: staff },
  { name: 'a copy on the shelf', path: '/shelf/ready?scan={ready}', as: staff },
  { name: 'a copy that is not on the shelf', path: '/shelf/ready?scan=nope', as: staff },
  { name: 'a later deadline', path: '/shelf/ready', as: staff, act: unfold(0) },
  { name: 'returns', path: '/return', as: staff },
  { name: 'copies that a customer has', path: '/return?userid=visitor', as: staff },
  { name: 'a copy that comes back', path: '/return?scan={collected}', as: staff },
  { name: 'a damaged copy', path: '/return?scan={collected}', as: staff, act: unfold(0) },
  { name: 'a copy that came back', path: '/return?did=returned&of={returned}', as: staff },
]

/** Of stock. */
const stock: State[] = [
  { name: 'receipts', path: '/receive', as: staff },
  { name: 'a scan that was misread', path: '/receive?scan=%ED%95%9C%EA%B8%80', as: staff, allowed: /422/ },
  {
    name: 'a number of copies that cannot be one',
    path: '/receive',
    as: staff,
    allowed: /422/,
    async act(page) {
      await page.locator('#scan').fill('other')
      await sending('#scan-qty', '0', '#scan-qty-fault')(page)
    },
  },
  { name: 'an order that arrives', path: '/receive?order={order}', as: staff },
  {
    name: 'a receipt that was scanned',
    path: '/receive',
    as: staff,
    act: sending('#scan', 'hot', '#more button'),
  },
  {
    name: 'a receipt that was undone',
    path: '/receive',
    as: staff,
    async act(page) {
      await sending('#scan', 'other', '#more button')(page)
      await page.locator('#more button').click()
      await page.locator('#said.warm').waitFor()
    },
  },
  { name: 'the columns of a delivery', path: '/receive/csv', as: staff, act: unfold(0) },
  {
    name: 'a delivery with faults',
    path: '/receive/csv',
    as: staff,
    allowed: /422/,
    act: checking(faulty, '#report table'),
  },
  {
    name: 'a delivery without faults',
    path: '/receive/csv',
    as: staff,
    act: checking('bookid,title,qty\nmomo,Momo,3\n', '#report button'),
  },
  {
    name: 'a delivery that is received',
    path: '/receive/csv',
    as: staff,
    act: checking(`bookid,title,qty\n${'bulk,Bulk,1\n'.repeat(30_000)}`, '#report button', 'progress'),
  },
  {
    name: 'a delivery of which a part was received',
    path: '/receive/csv',
    as: staff,
    act: checking('bookid,title,qty\nbulk,Bulk,1\nnever-heard-of,,2\n', '#report button', '#report table'),
  },
  { name: 'all stock on another page', path: '/stock', as: staff, act: turned },
  { name: 'the last stock', path: '/stock', as: staff, act: turnedToEnd },
  { name: 'a search in stock', path: '/stock?q=title', as: staff },
  { name: 'a search in stock without a result', path: '/stock?q=zzzz', as: staff },
  { name: 'the stock of a book with a queue', path: '/stock/hot', as: staff },
  {
    name: 'a withdrawal',
    path: '/stock/other',
    as: staff,
    allowed: /422/,
    async act(page) {
      await unfold(0)(page)
      await sending('#qty', '0', '[role=alert].notice')(page)
    },
  },
  {
    name: 'the rules of a book',
    path: '/stock/other',
    as: staff,
    allowed: /422/,
    async act(page) {
      await unfold(1)(page)
      await sending('#waitDays', '99999', '[role=alert].notice')(page)
    },
  },
  {
    name: 'an order that cannot be one',
    path: '/wanted',
    as: purchaser,
    allowed: /422/,
    act: sending('[name=qty]', '0', '.inline .fault'),
  },
  { name: 'a request to decline', path: '/wanted?said=ordered', as: purchaser, act: unfold(0) },
  { name: 'orders of a purchaser', path: '/orders', as: purchaser },
  { name: 'the first orders', path: '/orders', as: purchaser, act: turnedToEnd },
]

/** Of operators. */
const operations: State[] = [
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

export const states: State[] = [...customers, ...work, ...stock, ...operations]

/** Of a library with nothing in it. */
export const empty: State[] = pages
  .filter(({ path }) => !/[?{]|^\/(me|as|book|nothing)\b|.\/other$|.\/.*\//.test(path))
  .map((it) => ({ ...it, name: `nothing: ${it.name}` }))

/** While a service is down. */
export const down: Record<ServiceName, State[]> = {
  reservation: [
    { name: 'the books', path: '/' },
    { name: 'a book', path: '/book/other', as: nobody },
    { name: 'my reservations', path: '/me', as: reader },
    { name: 'a reservation', path: '/me/{ready}', as: reader, allowed: /503/ },
    { name: 'the desk with a customer', path: '/desk?scan=visitor', as: staff },
    { name: 'copies that a customer has', path: '/return?userid=visitor', as: staff },
  ],
  stock: [
    { name: 'a book', path: '/book/other', as: nobody },
    { name: 'the copies to fetch', path: '/shelf/pull', as: staff },
    { name: 'all stock', path: '/stock', as: staff },
    { name: 'the stock of a book', path: '/stock/other', as: staff, allowed: /503/ },
    {
      name: 'a receipt',
      path: '/receive',
      as: staff,
      allowed: /503/,
      act: sending('#scan', 'other', '#notices p'),
    },
    { name: 'what is wanted', path: '/wanted', as: purchaser },
    { name: 'operations', path: '/ops', as: operator },
    { name: 'a reservation that is being decided', path: '/me/{requested}', as: nobody },
  ],
  notifier: [
    { name: 'a reservation', path: '/me/{ready}', as: reader },
    { name: 'my settings', path: '/me/settings', as: reader },
    { name: 'notices', path: '/ops/notices', as: operator },
    { name: 'alerts', path: '/ops/alerts', as: operator },
  ],
}

/** An act: the next page of the list, if there is one. @returns whether there was one. */
async function turned(page: Page): Promise<boolean> {
  const next = page.locator('nav.turn a[href*="after="]')
  if ((await next.count()) === 0) return false
  const to = await next.getAttribute('href')
  await Promise.all([page.waitForURL(to!), next.click()])
  return true
}

/** An act: the last page of the list. */
async function turnedToEnd(page: Page): Promise<void> {
  while (await turned(page));
}
