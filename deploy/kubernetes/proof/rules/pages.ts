/** The paths of the pages, asked of the pages themselves. */
import { createLog } from '../../../../platform/log.ts'
import { createMetrics } from '../../../../platform/metrics.ts'
import { createPages } from '../../../../web/app.ts'
import { toPagesConfig } from '../../../../web/config.ts'

type Page = {
  /** As Hono has it: `/book/:bookid`. */
  path: string
  /** Whether it refuses customers. */
  ofStaff: boolean
}

/** A port that refuses, because what the services answer does not matter here. */
const nowhere = 'http://127.0.0.1:9'

/** Of people who log in: they are open to everyone. */
const ofLogin = ['/login', '/callback', '/logout', '/logged-out', '/.well-known/jwks.json']

async function pagesOf(): Promise<Page[]> {
  const env = { RESERVATION_URL: nowhere, STOCK_URL: nowhere, NOTIFIER_URL: nowhere }
  const app = await createPages({
    config: toPagesConfig(env),
    log: createLog('web', 'silent'),
    metrics: createMetrics('web'),
    stopping: AbortSignal.abort(),
    signal: AbortSignal.abort(),
  })
  const headers = { cookie: 'as=customer:ann', 'sec-fetch-site': 'same-origin' }
  const refuses = async (method: string, path: string) => {
    const { status, body } = await app.request(path.replaceAll(/:\w+/g, 'one'), { method, headers })
    await body?.cancel()
    return status === 403
  }
  // Every process explains its problems; the rest of the routes for all methods is middleware.
  const routes = app.routes.filter(({ method, path }) => method !== 'ALL' && !path.startsWith('/problems/'))
  const found = await Promise.all(
    routes.map(async ({ method, path }) => ({ path, ofStaff: await refuses(method, path) })),
  )
  const open = new Set(found.filter((it) => !it.ofStaff).map(({ path }) => path))
  const all = [...new Set(found.map(({ path }) => path))].map((path) => ({ path, ofStaff: !open.has(path) }))
  return [...all, ...ofLogin.map((path) => ({ path, ofStaff: false }))]
}

export const pages = await pagesOf()
