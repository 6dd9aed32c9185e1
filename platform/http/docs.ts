/** The OpenAPI document of a service, and a page that shows it. The page loads nothing from other hosts. */
import { hash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { Scalar } from '@scalar/hono-api-reference'
import type { App } from './app.ts'
import { openApiOf } from './openapi.ts'
import { reply, safeHeaders } from './reply.ts'

/** Only this package contains the page's script as a browser bundle. */
const script = new URL('./js/standalone.js', import.meta.resolve('@scalar/fastify-api-reference'))
/** Allows the page's own script by its hash; nothing in a document ever runs. */
const policyOf = (page: string) => {
  const [, ...scripts] = page.split('<script type="text/javascript">')
  const hashes = scripts.map((it) => `'sha256-${hash('sha256', it.split('</script>', 1)[0]!, 'base64')}'`)
  return [
    "default-src 'self'",
    `script-src 'self' ${hashes.join(' ')}`,
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}

/** Read once for all requests: it is large, and responses stay in memory until they are read. */
let scriptBytes: Promise<Uint8Array<ArrayBuffer>> | undefined

async function readScript(): Promise<Uint8Array<ArrayBuffer>> {
  scriptBytes ??= readFile(script).then((bytes) => new Uint8Array(bytes))
  try {
    return await scriptBytes
  } catch (error) {
    scriptBytes = undefined
    throw error
  }
}

/**
 * @param documented the app whose routes are documented.
 * @param port its port, which may differ from that of the docs.
 */
export function mountDocs(app: App, documented: App, port: () => number): void {
  const { title } = documented.about
  let document: object | undefined
  app.get('/openapi.json', () => {
    document ??= openApiOf(documented, port())
    return reply(200, document)
  })

  const page = Scalar({
    url: '/openapi.json',
    cdn: '/docs/scalar.js',
    pageTitle: title,
    withDefaultFonts: false,
    telemetry: false,
    // Without CORS a browser blocks requests to another port.
    hideTestRequestButton: true,
  })
  app.get('/docs', async (c, next) => {
    const html = await ((await page(c, next)) as Response).text()
    return c.html(html, 200, { ...safeHeaders, 'content-security-policy': policyOf(html) })
  })
  app.get('/docs/scalar.js', async (c) =>
    c.body(await readScript(), 200, {
      ...safeHeaders,
      'content-type': 'text/javascript; charset=utf-8',
      'cache-control': 'public, max-age=86400',
    }),
  )
}
