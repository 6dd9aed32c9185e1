/** The OpenAPI document of a service, and a page that shows it. Nothing is fetched from elsewhere. */
import type { OpenAPIHono } from '@hono/zod-openapi'

export type DocsOptions = { service: string; title: string; description: string }

const version = '0.1.0'

export function mountDocs(app: OpenAPIHono, { service, title, description }: DocsOptions): void {
  let document: unknown
  app.get('/openapi.json', (c) => {
    document ??= app.getOpenAPI31Document({
      openapi: '3.1.0',
      info: { title, description, version, license: { name: 'Apache-2.0' } },
      servers: [{ url: '/' }],
      tags: [{ name: service }],
    })
    return c.json(document as object)
  })
}
