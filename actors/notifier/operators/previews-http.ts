/** `/previews/` shows people how every notice looks. It is not in the OpenAPI document, because programs do not need it. */
import type { App } from '../../../platform/http/app.ts'
import { Problem } from '../../../platform/http/problem.ts'
import { safeHeaders } from '../../../platform/http/reply.ts'
import { previewPages } from '../templates/preview.ts'

/** No script runs, and nothing is loaded from elsewhere. */
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
    if (!page) throw new Problem('not-found', { detail: 'No such page: see /previews/index.html' })
    return c.body(page.markup, 200, headers)
  })
}
