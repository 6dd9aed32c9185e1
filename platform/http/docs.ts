/** The OpenAPI document of a service, and a page that shows it. The page loads nothing from other hosts. */
import { hash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { App } from './app.ts'
import { isCurrent, tagOf } from './etag.ts'
import { openApiOf } from './openapi.ts'
import { Problem } from './problem.ts'
import { reply, safeHeaders } from './reply.ts'

/** Changes whenever its content does, so that browsers may keep it for good. */
type Asset = { path: string; type: string; etag: string; bytes: Uint8Array<ArrayBuffer> }

async function readAsset(name: string, type: string): Promise<Asset> {
  const file = await readFile(new URL(import.meta.resolve(`swagger-ui-dist/${name}`)))
  const etag = tagOf(file)
  return {
    path: `/docs/${hash('sha256', file).slice(0, 16)}/${name}`,
    type,
    etag,
    bytes: new Uint8Array(file),
  }
}

/** Read once for all requests: the script is large, and responses stay in memory until they are read. */
let assets: Promise<Record<'script' | 'style', Asset>> | undefined

async function readAssets() {
  assets ??= Promise.all([
    readAsset('swagger-ui-bundle.js', 'text/javascript; charset=utf-8'),
    readAsset('swagger-ui.css', 'text/css; charset=utf-8'),
  ]).then(([script, style]) => ({ script, style }))
  try {
    return await assets
  } catch (error) {
    assets = undefined
    throw error
  }
}

/** Sends no requests: without CORS a browser blocks those to another port. */
const start = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#docs',
  deepLinking: true,
  supportedSubmitMethods: [],
  validatorUrl: null,
})`

/** Allows the page's own script by its hash; nothing in a document ever runs. */
const policy = [
  "default-src 'self'",
  `script-src 'self' 'sha256-${hash('sha256', start, 'base64')}'`,
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const pageOf = (title: string, script: Asset, style: Asset) => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${style.path}">
<div id="docs"></div>
<script src="${script.path}"></script>
<script>${start}</script>
`

/**
 * @param documented the app whose routes are documented.
 * @param port its port, which may differ from that of the docs.
 */
export function mountDocs(app: App, documented: App, port: number): void {
  const { title } = documented.about
  let document: object | undefined
  app.get('/openapi.json', () => {
    document ??= openApiOf(documented, port)
    return reply(200, document)
  })

  app.get('/', (c) => c.redirect('/docs'))
  app.get('/docs', async (c) => {
    const { script, style } = await readAssets()
    return c.html(pageOf(title, script, style), 200, { ...safeHeaders, 'content-security-policy': policy })
  })
  app.get('/docs/:digest/:file', async (c) => {
    const asset = Object.values(await readAssets()).find(({ path }) => path === c.req.path)
    if (!asset) throw new Problem('not-found', { detail: 'The page at /docs has moved on: load it again.' })
    const { type, etag, bytes } = asset
    const headers = { ...safeHeaders, etag, 'cache-control': 'public, max-age=31536000, immutable' }
    if (isCurrent(c, etag)) return c.body(null, 304, headers)
    return c.body(bytes, 200, { ...headers, 'content-type': type })
  })
}
