/** States of the pages for stock. */
import { checking, sending, turned, turnedToEnd, unfold } from './acts.ts'
import { purchaser, type State, staff } from './state.ts'

const faulty = `bookid,isbn,title,author,qty,shelf
momo,9783522202558,Momo,Ende,3,a
,9.78E+12,데미안,헤세,x,b
한글,,아주 길고 긴 제목,,1,c
`

export const stock: State[] = [
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
