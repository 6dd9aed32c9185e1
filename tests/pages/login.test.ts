/** People log in at a real provider, and act through the pages as themselves alone. `login.long.test.ts` has the rest. */
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { eventually } from '../doubles/eventually.ts'
import { asProgram, LoginStage } from './login-stage.ts'
import { useStage } from './stage.ts'

const stage = useStage(() => LoginStage.start())

const cookieOf = async (page: Page, name = 'session') =>
  (await page.context().cookies()).find((it) => it.name === name)

const cookieIn = (answer: Response, name: string) =>
  answer.headers
    .getSetCookie()
    .map((it) => it.split(';')[0]!.split('='))
    .find(([its]) => its === name)?.[1]

test('the life of a reservation: a customer logs in and reserves, staff hand over, and both are recorded', async () => {
  const { system } = stage()
  await system.stock.post('/stocks', { bookid: 'momo', qty: 1, title: 'Momo' }, asProgram)
  await eventually(async () => (await system.reservation.get('/books/momo')).status === 200)
  const mina = await stage().window()
  await mina.goto('/book/momo')
  await mina.getByText('1 copy available').waitFor()
  await mina.getByRole('button', { name: 'Log in to reserve' }).click()
  await stage().choose(mina, 'mina')
  await mina.waitForURL('/book/momo')
  expect(await mina.getByRole('complementary').textContent()).toContain('You are mina, customer.')
  await mina.getByRole('button', { name: 'Reserve' }).click()
  await mina.locator('.badge', { hasText: 'Reserved' }).waitFor()

  const jun = await stage().window()
  await jun.goto('/shelf/pull')
  await stage().choose(jun, 'jun')
  await jun.waitForURL('/shelf/pull')
  await jun.getByRole('button', { name: /shelf/i }).first().click()
  await mina.locator('.badge', { hasText: 'Ready to collect' }).waitFor()
  await jun.goto('/desk?scan=mina')
  await jun
    .getByRole('button', { name: /hand over/i })
    .first()
    .click()
  await mina.locator('.badge', { hasText: 'Collected' }).waitFor()
  const authors = await system.sql<{ authid: string }[]>`
    select distinct authid from stock.event_log where authid is not null order by authid`
  expect(authors.map((it) => it.authid)).toEqual(expect.arrayContaining(['jun', 'mina', 'program']))
})

test('a customer sees no page of staff, and the choice of a role is gone', async () => {
  const page = await stage().logIn('mina', { allowed: /40[34]/ })
  const refused = await page.goto('/desk')
  expect(refused!.status()).toBe(403)
  // Logging out leads to the provider, and no other form anywhere else.
  const { url } = stage().provider
  expect((await refused!.allHeaders())['content-security-policy']).toContain(`form-action 'self' ${url};`)
  await page.getByRole('heading', { name: 'This page is for others' }).waitFor()
  expect((await page.goto('/as'))!.status()).toBe(404)
  await page.context().addCookies([{ name: 'as', value: 'operator:ops', url: stage().url }])
  expect((await page.goto('/ops'))!.status()).toBe(403)
})

test('what staff read through the pages is recorded with their address, not that of the pages', async () => {
  const cookie = `session=${await stage().forged({ userid: 'jun', sub: 'jun', roles: ['stock-manager'] })}`
  const headers = { 'x-forwarded-for': '198.51.100.1, 203.0.113.7' }
  expect((await stage().get('/desk?scan=mina', cookie, { headers })).status).toBe(200)
  const rows = await stage().system.sql<{ address: string }[]>`
    select distinct address from reservation.audit where authid = 'jun' and subject = 'mina' and address like '203%'`
  expect(rows.map((it) => it.address)).toEqual(['203.0.113.7'])
})

test('SE4, KR4: a service that starts while the pages and all others are down accepts the tokens that exist', async () => {
  const { system, web } = stage()
  const { reservation, stock, notifier } = system.processes
  const [own, ...others] = [...reservation, ...stock, ...notifier]
  const token = await stage().tokenOf('mina')
  await Promise.all([web, ...others, own!].map((it) => it.stop()))
  await stage().stopProvider()
  await own!.start()
  const made = await system.reservation.post<{ userid: string }>(
    '/reservations',
    { bookid: 'momo' },
    { headers: { authorization: `Bearer ${token}` } },
  )
  await stage().startProviderAgain()
  await Promise.all([...others, web].map((it) => it.start()))
  expect([made.status, made.body.userid]).toEqual([201, 'mina'])
  expect(own!.logs.map((it) => it.msg)).toContain(
    'cannot read the keys of the issuer, uses those that were read last',
  )
})

describe('a session', () => {
  test('SE1, SE3: is a cookie that scripts cannot read, and ends by logging out, even for a copy of it', async () => {
    const page = await stage().logIn('mina', { allowed: /403/ })
    const cookie = await cookieOf(page)
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Lax', path: '/' })
    const copy = `session=${cookie!.value}`
    expect((await stage().get('/me', copy)).status).toBe(200)
    await page.getByRole('button', { name: 'Log out' }).click()
    await page.getByRole('button', { name: 'Log out of this computer' }).click()
    await page.waitForURL('/logged-out')
    expect(await cookieOf(page)).toBeUndefined()
    const refused = await stage().get('/me', copy)
    expect(refused.status).toBe(403)
    expect(await refused.text()).toContain('Your session has ended')
    // The provider asks again.
    await page.goto('/me')
    await page.getByRole('heading', { name: 'Who are you?' }).waitFor()
  })

  test('of staff that was not used for half an hour is over: the page says so, and the provider asks again', async () => {
    const page = await stage().logIn('jun', { allowed: /403/ })
    const seen = Date.now() / 1_000 - 31 * 60
    const value = await stage().forged({ userid: 'jun', sub: 'jun', roles: ['stock-manager'], seen })
    await page.context().addCookies([{ name: 'session', value, url: stage().url }])
    expect((await page.goto('/desk'))!.status()).toBe(403)
    await page.getByRole('heading', { name: 'Your session has ended' }).waitFor()
    await page.getByRole('link', { name: 'Log in' }).last().click()
    await stage().choose(page, 'jun')
    await page.waitForURL('/desk')
  })

  test('that another key has encrypted, or that was changed, is none', async () => {
    const foreign = await stage().forged({}, 'another key that is long enough to be one')
    const own = await stage().forged({})
    expect((await stage().get('/me', `session=${own}`)).status).toBe(200)
    const changed = own.replace(/(?<=^.{100})./, (it) => (it === 'A' ? 'B' : 'A'))
    for (const cookie of [foreign, changed, own.slice(0, -20), `${own}.x`, 'x', ''])
      expect((await stage().get('/me', `session=${cookie}`)).status, cookie).not.toBe(200)
  })
})

describe('a login', () => {
  /** Begins one, and logs in at the provider with a browser that has not begun it. */
  async function interrupted() {
    const begun = await stage().get('/login?to=/me', '')
    const attempt = cookieIn(begun, 'login')
    const page = await stage().window({ allowed: /403/ })
    await page.goto(begun.headers.get('location')!)
    await stage().choose(page, 'mina')
    await page.getByRole('heading', { name: 'You are not logged in' }).waitFor()
    expect(await cookieOf(page)).toBeUndefined()
    const { pathname, search } = new URL(page.url())
    return { attempt: `login=${attempt}`, callback: pathname + search }
  }

  test('PR2: is of the browser that began it, and gives an id that the browser did not have before', async () => {
    const { attempt, callback } = await interrupted()
    const other = cookieIn(await stage().get('/login', ''), 'login')
    expect((await stage().get(callback, `login=${other}`)).status).toBe(403)
    const planted = await stage().forged({ userid: 'mallory', sub: 'mallory' })
    const done = await stage().get(callback, `session=${planted}; ${attempt}`)
    expect([done.status, done.headers.get('location')]).toEqual([303, '/me'])
    const own = cookieIn(done, 'session')
    expect(own).not.toBe(planted)
    expect(cookieIn(done, 'login')).toBe('')
    expect((await stage().get('/me', `session=${own}`)).status).toBe(200)
    expect((await stage().get('/me', `session=${planted}`)).status).toBe(403)
  })

  test('PR2: uses its code once, and no answer that was changed', async () => {
    const { attempt, callback } = await interrupted()
    const refused = async (path: string) => {
      const answer = await stage().get(path, attempt)
      expect([answer.status, cookieIn(answer, 'session')], path).toEqual([403, undefined])
    }
    const changes = { state: 'x', iss: 'https://evil.example', error: 'access_denied' }
    for (const [name, value] of Object.entries(changes)) {
      const url = new URL(callback, stage().url)
      url.searchParams.set(name, value)
      await refused(url.pathname + url.search)
    }
    expect((await stage().get(callback, attempt)).status).toBe(303)
    await refused(callback)
  })

  test('leads back to these pages alone', async () => {
    const foreign = [
      '//evil.example',
      '/\\evil.example',
      '/.//evil.example',
      'https://evil.example/x',
      'javascript:alert(1)',
      'blob:https://evil.example/x',
      'x:https://evil.example/x',
      'https://[',
    ]
    for (const to of foreign) {
      const page = await stage().window({ allowed: /404/ })
      await page.goto(`/login?to=${encodeURIComponent(to)}`)
      await stage().choose(page, 'mina')
      await page.waitForURL((it) => it.origin === stage().url && it.pathname !== '/callback')
    }
  })
})

test('a form of another site does not log people out', async () => {
  const cookie = `session=${await stage().forged({})}`
  const foreign: Record<string, string>[] = [
    { 'sec-fetch-site': 'cross-site' },
    { origin: 'https://evil.example' },
  ]
  for (const headers of foreign) {
    const { status, headers: answered } = await stage().get('/logout', cookie, { method: 'POST', headers })
    expect([status, answered.get('set-cookie')]).toEqual([403, null])
  }
  expect((await stage().get('/me', cookie)).status).toBe(200)
})
