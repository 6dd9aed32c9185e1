/** The frame of every page. */
import type { ServiceName } from '../platform/config.ts'
import type { Assets } from './assets.ts'
import { type Html, html } from './html.ts'
import { linksOf } from './navigation.ts'
import type { Who } from './who.ts'
import { type Locale, locales, type Words, wordsOf } from './words/words.ts'

export type Frame = {
  assets: Assets
  locale: Locale
  words: Words
  who: Who | undefined
  /** Whether people log in. */
  hasLogin: boolean
  /** @returns where people say who they are, and come back from to the page. */
  entrance(to: string): string
  /** Of this page, with its query. */
  path: string
}

export type Shown = {
  title: string
  main: Html
  /** Services whose part of the page is missing. */
  missing?: ServiceName[]
  /** The message about what was just done. */
  said?: string | undefined
  /** Seconds after which a browser without scripts loads the page again. */
  refreshS?: number
}

/** Nothing is compiled in the browser: the Content-Security-Policy forbids it. */
const htmxConfig = JSON.stringify({
  mode: 'same-origin',
  history: false,
  defaultTimeout: 10_000,
  // A live change does not close what a person has opened.
  morphIgnore: ['data-htmx-powered', 'open'],
})

export function layout(frame: Frame, { title, main, missing = [], said, refreshS }: Shown): Html {
  const { assets, locale, words } = frame
  return html`<!doctype html>
<html lang="${locale}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="htmx-config" content="${htmxConfig}">
<title>${title === words.site ? title : `${title} · ${words.site}`}</title>
<link rel="icon" href="${assets.icon.path}" type="image/svg+xml">
<link rel="stylesheet" href="${assets.style.path}">
<script src="${assets.script.path}" defer></script>
${refreshS === undefined ? '' : html`<noscript><meta http-equiv="refresh" content="${refreshS}"></noscript>`}
</head>
<body data-unanswered="${words.unanswered}">
<a class="skip" href="#main">${words.skip}</a>
${identityBar(frame)}
${header(frame)}
<main id="main">
${notices(words, missing)}
${said === undefined ? '' : html`<p class="said" role="status">${said}</p>`}
${main}
</main>
${footer(frame)}
</body>
</html>
`
}

/** The region that shows what is wrong. A fragment replaces it with `hx-swap-oob`. */
export const notices = (words: Words, missing: ServiceName[], oob = false): Html =>
  html`<div id="notices" role="alert"${oob ? html` hx-swap-oob="true"` : ''}>${missing.map(
    (api) => html`<p class="notice">${words.missing[api]}</p>`,
  )}</div>`

function identityBar(frame: Frame): Html {
  const { words, who, path, hasLogin } = frame
  if (hasLogin) return loginBar(frame)
  const to = path.startsWith('/as') ? '/' : path
  return html`<aside class="identity" aria-label="${words.as.title}">
<p><strong>${words.as.bar}</strong>
${who ? words.as.you(who.userid, words.roles[who.role]) : ''}
<a href="/as?to=${encodeURIComponent(to)}">${who ? words.as.change : words.as.choose}</a></p>
</aside>`
}

function loginBar(frame: Frame): Html {
  const { who, path } = frame
  const { login, roles } = frame.words
  const isOwn = /^\/(login|callback|logout|logged-out)\b/.test(path)
  return html`<aside class="identity known" aria-label="${login.title}">
${
  who
    ? html`<form method="post" action="/logout"><p>${login.you(who.userid, who.roles.map((it) => roles[it]).join(', '))}
<button class="quiet">${login.leave}</button></p></form>`
    : html`<p><a href="${frame.entrance(isOwn ? '/' : path)}">${login.in}</a></p>`
}
</aside>`
}

function header({ words, who, path }: Frame): Html {
  const here = path.split('?')[0]
  return html`<header>
<nav aria-label="${words.nav.label}">
<a class="site" href="/">${words.site}</a>
<ul>${linksOf(who?.roles).map(
    ({ path, name }) =>
      html`<li><a href="${path}"${path === here ? html` aria-current="page"` : ''}>${words.nav[name]}</a></li>`,
  )}</ul>
</nav>
</header>`
}

/** Every language under its own name. */
function footer({ words, locale, path }: Frame): Html {
  const link = (to: Locale) => {
    const url = new URL(path, 'http://localhost')
    url.searchParams.set('lang', to)
    url.searchParams.delete('said')
    return url.pathname + url.search
  }
  return html`<footer>
<nav aria-label="${words.languages}"><ul>${locales.map((it) =>
    it === locale
      ? html`<li><span aria-current="true" lang="${it}">${wordsOf[it].name}</span></li>`
      : html`<li><a href="${link(it)}" hreflang="${it}" lang="${it}">${wordsOf[it].name}</a></li>`,
  )}</ul></nav>
</footer>`
}
