/** Preview pages of every notice in every language: title, HTML, text and short text. */
import { type Html, html } from './html.ts'
import { languages, writeMessage } from './message.ts'
import { samples } from './samples.ts'

export type Page = { path: string; markup: string }

/** @returns an index and a page per notice and language, with relative links. */
export function previewPages(): Page[] {
  const pages = samples.flatMap(({ name, subject }) =>
    languages.map(({ code }) => {
      const { title, text, html: body, short } = writeMessage(subject, code)
      const content = html`<p><a href="index.html">all</a></p>
<h1>${title}</h1>
<iframe sandbox title="HTML" srcdoc="${body}"></iframe>
<pre>${text}</pre>
<pre>${short}</pre>`
      return { path: `${name}.${code}.html`, markup: frame(code, title, content), title }
    }),
  )
  const links = pages.map(({ path, title }) => html`<li><a href="${path}">${path}</a> ${title}</li>\n`)
  const index = frame('en', 'Notices', html`<h1>Notices</h1>\n<ul>\n${links}</ul>`)
  return [{ path: 'index.html', markup: index }, ...pages.map(({ path, markup }) => ({ path, markup }))]
}

const frame = (language: string, title: string, content: Html): string =>
  html`<!doctype html>
<html lang="${language}">
<head><meta charset="utf-8"><title>${title}</title>
<style>body{font:16px/1.5 sans-serif;max-width:48em;margin:2em auto;padding:0 1em}
iframe{width:100%;height:18em;border:1px solid #999}pre{white-space:pre-wrap;border:1px solid #999;padding:1em}</style>
</head>
<body>
${content}
</body>
</html>
`.markup
