/** States of the pages for customers. */
import { sending, turned, turnedToEnd, unfold } from './acts.ts'
import { nobody, reader, type State } from './state.ts'

export const customers: State[] = [
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
