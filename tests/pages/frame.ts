/** The frame of every page: its policy, its languages, its size, and the check of where a form comes from. */
import { describe, expect, test } from 'vitest'
import type { Stage } from './stage.ts'

export function frame(stage: () => Stage): void {
  describe('every page', () => {
    test('has a policy that lets nothing else in, and scripts that work under it', async () => {
      const page = await stage().window()
      const response = await page.goto('/')
      const headers = await response!.allHeaders()
      expect(headers['content-security-policy']).toBe(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
      )
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'same-origin',
        'cross-origin-opener-policy': 'same-origin',
        'cache-control': 'no-store',
      })
      expect(await page.evaluate('htmx.version')).toBe('4.0.1')
      expect(await page.evaluate('htmx.config.mode + htmx.config.history')).toBe('same-originfalse')
    })

    test('fits into 60 KB with all that it loads, and what it loads is kept for good', async () => {
      const page = await stage().window()
      let bytes = 0
      const sizes: Promise<void>[] = []
      page.on('requestfinished', (request) => {
        const add = async () => {
          const { responseHeadersSize, responseBodySize } = await request.sizes()
          bytes += responseHeadersSize + responseBodySize
          const { 'cache-control': caching } = (await request.response())!.headers()
          if (request.url().includes('/assets/')) expect(caching).toBe('public, max-age=31536000, immutable')
        }
        sizes.push(add())
      })
      await page.goto('/', { waitUntil: 'networkidle' })
      await Promise.all(sizes)
      expect(bytes).toBeGreaterThan(10_000)
      expect(bytes).toBeLessThan(60 * 1024)
    })

    test('is in the language of the browser, until another is chosen', async () => {
      const page = await stage().window({ locale: 'ko-KR' })
      await page.goto('/')
      expect(await page.locator('html').getAttribute('lang')).toBe('ko')
      await page.getByRole('link', { name: 'English' }).click()
      expect(await page.locator('html').getAttribute('lang')).toBe('en')
      await page.goto('/as')
      expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Who are you?')
    })

    test('that does not exist is a page, too', async () => {
      const page = await stage().window({ allowed: /404/ })
      expect((await page.goto('/nothing'))!.status()).toBe(404)
      expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Page not found')
    })

    test('accepts forms of its own origin alone', async () => {
      const send = (headers: Record<string, string>) =>
        fetch(`${stage().url}/as`, {
          method: 'POST',
          redirect: 'manual',
          headers,
          body: new URLSearchParams({ userid: 'mallory', role: 'customer' }),
        })
      const { url } = stage()
      const foreign: Record<string, string>[] = [
        {},
        { 'sec-fetch-site': 'cross-site' },
        { 'sec-fetch-site': 'same-site' },
        { origin: 'https://evil.example' },
        { origin: 'null' },
        { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
      ]
      for (const headers of foreign) {
        const { status, headers: answered } = await send(headers)
        expect([status, answered.get('set-cookie')], JSON.stringify(headers)).toEqual([403, null])
      }
      const own: Record<string, string>[] = [{ 'sec-fetch-site': 'same-origin' }, { origin: url }]
      for (const headers of own) expect((await send(headers)).status, JSON.stringify(headers)).toBe(303)
    })
  })

  describe('the person at the keyboard', () => {
    test('is chosen on a page, and every page says that anyone can', async () => {
      const page = await stage().window()
      await page.goto('/')
      await page.getByRole('link', { name: 'Choose who you are' }).click()
      await page.getByLabel('Name or card number').fill('mina')
      await page.getByRole('button', { name: 'Continue' }).click()
      await page.waitForURL('/')
      const bar = page.getByRole('complementary', { name: 'Who are you?' })
      expect(await bar.textContent()).toContain('anyone can act as any user')
      expect(await bar.textContent()).toContain('You are mina, customer.')
    })

    test('must be an id, and a bad one is explained beside its field', async () => {
      const page = await stage().window({ allowed: /422/ })
      await page.goto('/as')
      await page.getByLabel('Name or card number').fill('민아')
      await page.getByRole('button', { name: 'Continue' }).click()
      const field = page.getByLabel('Name or card number')
      expect(await field.getAttribute('aria-invalid')).toBe('true')
      expect(await field.inputValue()).toBe('민아')
    })

    test('leads back to these pages alone', async () => {
      const foreign = [
        '//evil.example',
        '/\\evil.example',
        '/.//evil.example',
        '/\t/evil.example',
        'https://evil.example',
      ]
      for (const to of [...foreign, '/me?after=x']) {
        const answer = await fetch(`${stage().url}/as`, {
          method: 'POST',
          redirect: 'manual',
          headers: { 'sec-fetch-site': 'same-origin' },
          body: new URLSearchParams({ userid: 'mina', role: 'customer', to }),
        })
        const place = new URL(answer.headers.get('location')!, stage().url)
        expect(place.origin, to).toBe(stage().url)
        if (!foreign.includes(to)) expect(place.pathname + place.search).toBe(to)
      }
    })
  })
}
