/** Scripts, styles and the icon. Their paths contain a hash of their content, so that browsers may keep them for good. */
import { hash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import type { App } from '../platform/http/app.ts'

type Asset = { path: string; type: string; bytes: Uint8Array<ArrayBuffer>; gzipped: Uint8Array<ArrayBuffer> }

export type Assets = Record<'style' | 'script' | 'icon', Asset>

const packaged = (name: string) => readFile(new URL(import.meta.resolve(name)), 'utf8')
const own = (name: string) => readFile(new URL(`assets/${name}`, import.meta.url), 'utf8')

/** In this order: a later rule of the same weight wins. */
const styles = ['site.css', 'parts.css', 'work.css', 'tables.css', 'slips.css', 'ops.css']

export async function readAssets(): Promise<Assets> {
  const [style, script, icon] = await Promise.all([
    joined(packaged('@picocss/pico/css/pico.classless.min.css'), ...styles.map(own)),
    // As one file, because htmx must not start before its extension is there.
    joined(
      packaged('htmx.org/dist/htmx.min.js'),
      packaged('htmx.org/dist/ext/hx-sse.min.js'),
      own('answers.js'),
      own('scans.js'),
      own('print.js'),
    ),
    own('icon.svg'),
  ])
  return {
    style: toAsset('site.css', 'text/css; charset=utf-8', style),
    script: toAsset('site.js', 'text/javascript; charset=utf-8', script),
    icon: toAsset('icon.svg', 'image/svg+xml', icon),
  }
}

async function joined(...files: Promise<string>[]): Promise<string> {
  const texts = await Promise.all(files)
  return texts.map((it) => it.replace(/\n\/\/# sourceMappingURL=.*\s*$/, '')).join('\n')
}

function toAsset(name: string, type: string, text: string): Asset {
  const bytes = new TextEncoder().encode(text)
  const path = `/assets/${hash('sha256', bytes).slice(0, 16)}/${name}`
  return { path, type, bytes, gzipped: new Uint8Array(gzipSync(bytes, { level: 9 })) }
}

export function mountAssets(app: App, assets: Assets): void {
  for (const { path, type, bytes, gzipped } of Object.values(assets)) {
    const headers = {
      'content-type': type,
      'cache-control': 'public, max-age=31536000, immutable',
      vary: 'accept-encoding',
    }
    app.get(path, (c) =>
      /\bgzip\b/.test(c.req.header('accept-encoding') ?? '')
        ? c.body(gzipped, 200, { ...headers, 'content-encoding': 'gzip' })
        : c.body(bytes, 200, headers),
    )
  }
  // No search engine has any business here.
  app.get('/robots.txt', (c) => c.text('User-agent: *\nDisallow: /\n'))
}
