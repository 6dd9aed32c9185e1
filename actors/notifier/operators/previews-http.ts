/** `/previews/`: how every notice looks, for people. No call for programs, so it is not in the OpenAPI document. */
import type { App } from '../../http/app.ts'
import { Problem } from '../../http/problem.ts'
import { safeHeaders } from '../../http/reply.ts'
import { previewPages } from '../templates/preview.ts'

/** Nothing is loaded from anywhere, and no script runs. */
const headers = {
  ...safeHeaders,
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; frame-ancestors 'self'",
}

export function mountPreviews(app: App): void {
  for (const path of ['/previews', '/previews/']) app.get(path, (c) => c.redirect('/previews/index.html'))
  app.get('/previews/:page', (c) => {
    const page = previewPages().find(({ path }) => path === c.req.param('page'))
    if (!page) throw new Problem('not-found', { detail: 'There is no such page: see /previews/index.html' })
    return c.body(page.markup, 200, headers)
  })
}
