/** The OpenAPI document of a service, and a page that shows it. Nothing is fetched from elsewhere. */
import { readFile } from 'node:fs/promises'
import type { OpenAPIHono } from '@hono/zod-openapi'
import { Scalar } from '@scalar/hono-api-reference'

export type DocsOptions = { service: string; title: string; description: string }

const version = '0.1.0'

/** This package is the one that carries the page's script, ready for the browser. */
const script = new URL('./js/standalone.js', import.meta.resolve('@scalar/fastify-api-reference'))
const policy =
  "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"

export function mountDocs(app: OpenAPIHono, { service, title, description }: DocsOptions): void {
  let document: object | undefined
  app.get('/openapi.json', (c) => {
    document ??= app.getOpenAPI31Document({
      openapi: '3.1.0',
      info: { title, description, version, license: { name: 'Apache-2.0' } },
      servers: [{ url: '/' }],
      tags: [{ name: service }, { name: 'health' }],
    })
    return c.json(document)
  })

  const page = Scalar({
    url: '/openapi.json',
    cdn: '/docs/scalar.js',
    pageTitle: title,
    withDefaultFonts: false,
    telemetry: false,
  })
  app.get('/docs', async (c, next) => {
    c.header('content-security-policy', policy)
    return page(c, next)
  })
  app.get('/docs/scalar.js', async (c) =>
    c.body(await readFile(script), 200, {
      'content-type': 'text/javascript; charset=utf-8',
      'cache-control': 'public, max-age=86400',
    }),
  )
}
