/** `/login`, `/callback` and `/logout`: people log in at a provider, and out of it. */
import type { Context } from 'hono'
import { html } from 'hono/html'
import type { Log } from '../../platform/log.ts'
import { explain } from '../errors.ts'
import type { Login } from '../identity/login.ts'
import { LoginError } from '../identity/provider.ts'
import type { PageRoutes } from '../routes.ts'
import type { Reply, Visit } from '../visit.ts'

/** Characters of a path, which has to fit into a cookie. */
const toMax = 2_000

export function mountLogin(routes: PageRoutes, login: Login, log: Log): void {
  const { provider } = login

  routes.get('/login', 'anyone', async (visit) => {
    const { c } = visit
    try {
      // The provider may still know a person whose session is over, although they have left.
      const to = visit.query('to') ?? '/'
      const { url, attempt } = await provider.begin(to.length > toMax ? '/' : to, c.var.sessionOver ?? false)
      await login.keepAttempt(c, attempt)
      return leadTo(c, url)
    } catch (error) {
      return failed(visit, error, log)
    }
  })

  routes.get('/callback', 'anyone', async (visit) => {
    const { c } = visit
    const attempt = await login.takeAttempt(c)
    try {
      if (!attempt) throw new LoginError('refused', 'This browser has begun no login, or long ago')
      const person = await provider.finish(new URL(c.req.url).search, attempt)
      await login.begin(c, person)
      log.info({ roles: person.roles }, 'logged in')
      return visit.goTo(attempt.to)
    } catch (error) {
      return failed(visit, error, log)
    }
  })

  routes.post('/logout', 'anyone', async (visit) => {
    const { c } = visit
    const hint = c.var.session?.hint
    await login.end(c)
    const url = await provider.logoutUrl(hint)
    // The policy of the page lets its form lead to the host of the issuer alone.
    if (url?.origin !== provider.origin) return visit.goTo('/logged-out')
    return leadTo(c, url)
  })

  routes.get('/logged-out', 'anyone', (visit) => {
    const { login: words } = visit.words
    const main = html`<h1>${words.out}</h1><p>${words.outText}</p>
<p><a role="button" href="${visit.entrance('/')}">${words.in}</a></p>
<p><a href="/">${visit.words.errors.home}</a></p>`
    return visit.show({ title: words.out, main })
  })

  // For the services. Not cached, so that a new key is seen at once.
  routes.get('/.well-known/jwks.json', 'anyone', ({ c }) =>
    c.json(login.tokens.jwks, 200, { 'cache-control': 'no-store' }),
  )
}

function leadTo(c: Context, url: URL): Response {
  c.header('cache-control', 'no-store')
  return c.redirect(url.href, 303)
}

function failed(visit: Visit, error: unknown, log: Log): Reply {
  if (!(error instanceof LoginError)) throw error
  // Nothing more of the cause: it may hold an answer of the provider with its tokens.
  const { message: why, code } = (error.cause ?? error) as Partial<Error & { code: string }>
  log.warn({ reason: error.reason, why, code }, 'cannot log in')
  const { login, errors } = visit.words
  const again = html`<p><a role="button" href="${visit.entrance('/')}">${errors.again}</a></p>`
  if (error.reason === 'down') return explain(visit, 503, login.down, html`<p>${login.downText}</p>${again}`)
  const text = { userid: login.useridText, again: login.againText, refused: login.failedText }[error.reason]
  return explain(visit, 403, login.failed, html`<p>${text}</p>${again}`)
}
