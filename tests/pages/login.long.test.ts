/** Logging in while something is down, keys that are replaced, streams, both runtimes, and whatever cookies a browser may send. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { eventually } from '../doubles/eventually.ts'
import { ServiceProcess } from '../harness/service-process.ts'
import { look } from './accessibility.ts'
import { asProgram, LoginStage } from './login-stage.ts'
import { useStage } from './stage.ts'

const stage = useStage(() => LoginStage.start())

test('SE4, PR1: while the provider is down, login is unavailable, and people who are logged in go on', async () => {
  const page = await stage().logIn('mina', { allowed: /503/ })
  await stage().stopProvider()
  await stage().web.stop()
  await stage().web.start()
  await page.goto('/me')
  await page.getByRole('heading', { name: 'My reservations' }).waitFor()
  const other = await stage().window({ allowed: /503/ })
  expect((await other.goto('/login'))!.status()).toBe(503)
  await other.getByRole('heading', { name: 'Login is unavailable right now' }).waitFor()
  // Logging out needs no provider.
  await page.getByRole('button', { name: 'Log out' }).click()
  await page.waitForURL('/logged-out')
  await stage().startProviderAgain()
  await other.getByRole('button', { name: 'Try again' }).click()
  await stage().choose(other, 'mina')
  await other.waitForURL(`${stage().url}/`)
})

test('SE4: while their Postgres is down, people log in and out, and go on', async () => {
  const { env, web } = stage()
  const { DATABASE_URL } = env
  env.DATABASE_URL = 'postgres://nobody@127.0.0.1:9/nothing'
  await web.stop()
  await web.start()
  const page = await stage().logIn('mina')
  await page.goto('/me')
  await page.getByRole('heading', { name: 'My reservations' }).waitFor()
  const [cookie] = await page.context().cookies()
  await page.getByRole('button', { name: 'Log out' }).click()
  await page.getByRole('button', { name: 'Log out of this computer' }).click()
  await page.waitForURL('/logged-out')
  expect((await stage().get('/me', `session=${cookie!.value}`)).status).toBe(403)
  env.DATABASE_URL = DATABASE_URL!
  await web.stop()
  await web.start()
})

test('a key that is replaced interrupts no session, and the services accept the tokens of the new one', async () => {
  const page = await stage().logIn('mina')
  for (let i = 0; i < 2; i++) {
    await stage().rotateKeys()
    await page.goto('/me')
    await page.getByRole('heading', { name: 'My reservations' }).waitFor()
  }
  const { keys } = (await (await stage().get('/.well-known/jwks.json', '')).json()) as { keys: object[] }
  expect(keys).toHaveLength(3)
  expect(JSON.stringify(keys)).not.toContain('"d"')
})

test('a secret of sessions that is replaced ends none, as long as the old one is kept', async () => {
  const page = await stage().logIn('mina')
  const { env, web } = stage()
  env.SESSION_KEY = `${'new-secret-'.repeat(4)} ${env.SESSION_KEY}`
  await web.stop()
  await web.start()
  await page.goto('/me')
  await page.getByRole('heading', { name: 'My reservations' }).waitFor()
  env.SESSION_KEY = env.SESSION_KEY.split(' ')[0]!
  await web.stop()
  await web.start()
  const other = await stage().logIn('jun')
  await other.goto('/desk')
  expect((await stage().get('/me', `session=${(await page.context().cookies())[0]!.value}`)).status).toBe(403)
})

test('a page that is open when its person logs out says so, and shows nothing more', async () => {
  const { system } = stage()
  await system.stock.post('/stocks', { bookid: 'open', qty: 1, title: 'Open' }, asProgram)
  await eventually(async () => (await system.reservation.get('/books/open')).status === 200)
  const page = await stage().logIn('mina')
  await page.goto('/book/open')
  await page.getByRole('button', { name: 'Reserve' }).click()
  await page.locator('.badge', { hasText: 'Reserved' }).waitFor()
  await page.goto('/me')
  const second = await page.context().newPage()
  await second.goto('/')
  await second.getByRole('button', { name: 'Log out' }).click()
  await page.getByRole('alert').getByText('Your session has ended').waitFor({ timeout: 25_000 })
}, 60_000)

test('a page that is open goes on when the stream behind it ends, as with its token or its service', async () => {
  const { system } = stage()
  await system.stock.post('/stocks', { bookid: 'goes-on', qty: 1, title: 'Goes on' }, asProgram)
  await eventually(async () => (await system.reservation.get('/books/goes-on')).status === 200)
  const page = await stage().logIn('mina')
  await page.goto('/book/goes-on')
  await page.getByRole('button', { name: 'Reserve' }).click()
  await page.locator('.badge', { hasText: 'Reserved' }).waitFor()
  const list = await page.context().newPage()
  await list.goto('/me')
  const reservationid = new URL(page.url()).pathname.split('/').at(-1)
  const row = list.locator(`#r-${reservationid}`)
  const [reservation] = system.processes.reservation
  await reservation!.stop()
  await reservation!.start()
  await system.stock.patch(`/holds/${reservationid}`, { status: 'Ready' }, asProgram)
  for (const it of [page, row]) await it.locator('.badge', { hasText: 'Ready to collect' }).waitFor()
}, 60_000)

test('the pages on Deno log people in and out', async () => {
  const { web, env } = stage()
  await web.stop()
  const port = Number(new URL(stage().url).port)
  const deno = new ServiceProcess('web-deno', { service: 'web', runtime: 'deno', env, port })
  try {
    await deno.start()
    const page = await stage().logIn('hana')
    await page.goto('/wanted')
    await page.getByRole('heading', { level: 1 }).waitFor()
    await page.getByRole('button', { name: 'Log out' }).click()
    await page.getByRole('button', { name: 'Log out of this computer' }).click()
    await page.waitForURL('/logged-out')
  } finally {
    expect(await deno.finish()).toEqual([])
    await web.start()
  }
}, 60_000)

test('whatever cookies and queries a browser sends, the answer is a page, and no session begins', async () => {
  const own = await stage().forged({}, 'another key that is long enough to be one')
  const text = fc.oneof(
    fc.string({ unit: 'grapheme-ascii', maxLength: 200 }),
    fc.base64String({ maxLength: 400 }),
  )
  const cookie = fc.oneof(
    text.map((it) => `session=${encodeURIComponent(it)}; login=${encodeURIComponent(it)}`),
    fc.nat(own.length - 1).map((at) => `session=${own.slice(0, at)}x${own.slice(at + 1)}`),
    text.map((it) => it.replaceAll(/[^\x20-\x7e]/g, '')),
  )
  const query = fc.dictionary(fc.constantFrom('code', 'state', 'iss', 'error', 'to', 'said', 'lang'), text)
  let runs = 0
  const path = fc.constantFrom('/callback', '/me', '/logged-out', '/desk', '/me/stream')
  await fc.assert(
    fc.asyncProperty(path, query, cookie, async (path, query, cookie) => {
      // Each run of another address, because one has a limit.
      const headers = { 'x-forwarded-for': `2001:db8:0:${(runs++).toString(16)}::1` }
      const answer = await stage().get(`${path}?${new URLSearchParams(query)}`, cookie, { headers })
      await answer.body?.cancel()
      expect([200, 303, 403]).toContain(answer.status)
      if (answer.status === 303) expect(answer.headers.get('location')).toMatch(/^\/login\?to=/)
      expect(answer.headers.get('set-cookie') ?? '').not.toMatch(/session=[^;]/)
    }),
    { numRuns: 300 },
  )
}, 60_000)

describe('accessible:', () => {
  test.each(['ko', 'en'])('the pages of logging in, in %s', async (locale) => {
    const page = await stage().logIn('jun', { locale, allowed: /403/ })
    for (const path of ['/', '/logged-out', '/callback', '/ops']) {
      await page.goto(path)
      await look(page, `logging in: ${path}`, locale)
    }
  })
})
