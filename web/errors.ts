/** Pages for what went wrong. htmx gets the notice alone, and puts it at the top of the page that it has. */

import { HTTPException } from 'hono/http-exception'
import { Problem, Unavailable } from '../platform/http/problem.ts'
import { traceFacts, traceOf } from '../platform/http/trace.ts'
import type { Log } from '../platform/log.ts'
import { ApiDown, LoginMissing, NotAllowed, TooMany } from './apis/call.ts'
import { type Html, html } from './html.ts'
import { notices } from './layout.ts'
import { Unlisted } from './list.ts'
import type { Reply, Visit } from './visit.ts'
import type { Role } from './who.ts'

export function notFound(visit: Visit): Reply {
  const { notFound, notFoundText } = visit.words.errors
  return explain(visit, 404, notFound, html`<p>${notFoundText}</p>`)
}

export function forbidden(visit: Visit, access: readonly Role[]): Reply {
  const { errors, roles } = visit.words
  const names = access.map((it) => roles[it]).join(', ')
  return explain(visit, 403, errors.forbidden, html`<p>${errors.forbiddenText(names)}</p>`)
}

/** Of a person whose session is over: nothing was done. */
export function sessionOver(visit: Visit, to: string): Reply {
  const { login } = visit.words
  const again = html`<p><a role="button" href="${visit.entrance(to)}">${login.in}</a></p>`
  return explain(visit, 403, login.over, html`<p>${login.overText}</p>${again}`)
}

export async function pageOfError(visit: Visit, error: unknown, log: Log): Promise<Response> {
  const { errors } = visit.words
  if (error instanceof ApiDown) {
    return visit.isPartial
      ? visit.fragment(notices(visit.words, [error.api], true), 503)
      : visit.show({ title: errors.down, main: await down(visit), missing: [error.api] }, 503)
  }
  if (error instanceof Unlisted) {
    const all = html`<p><a role="button" href="${visit.c.req.path}">${errors.wholeList}</a></p>`
    return explain(visit, 400, errors.unlisted, html`<p>${errors.unlistedText}</p>${all}`)
  }
  if (error instanceof LoginMissing)
    return explain(visit, 403, errors.login, html`<p>${errors.loginText}</p>`)
  if (error instanceof NotAllowed)
    return explain(visit, 403, errors.forbidden, html`<p>${errors.notAllowedText}</p>`)
  if (error instanceof TooMany || (error instanceof Problem && error.status === 429)) {
    visit.c.header('retry-after', error instanceof Problem ? error.headers['retry-after'] : '60')
    return explain(visit, 429, errors.tooMany, html`<p>${errors.tooManyText}</p>`)
  }
  if (error instanceof Unavailable) {
    visit.c.header('retry-after', error.headers['retry-after'])
    return explain(visit, 503, errors.down, html``)
  }
  if (error instanceof HTTPException && error.status === 403)
    return explain(visit, 403, errors.foreign, html`<p>${errors.foreignText}</p>`)
  if (error instanceof HTTPException && error.status === 413)
    return explain(visit, 413, errors.tooLarge, html``)
  const { req } = visit.c
  log.error(
    { method: req.method, path: req.path, ...traceFacts(traceOf(visit.c)), err: error },
    'page failed',
  )
  return explain(visit, 500, errors.unexpected, html`<p>${errors.unexpectedText}</p>`)
}

async function down(visit: Visit): Promise<Html> {
  const { words, c } = visit
  const { pathname, search } = new URL(c.req.url)
  const again =
    c.req.method === 'GET'
      ? html`<p><a role="button" href="${pathname + search}">${words.errors.again}</a></p>`
      : html`<p>${words.errors.downForm}</p>
<form method="post" action="${pathname + search}">${(await visit.fields()).map(
          ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
        )}<button>${words.errors.again}</button></form>`
  return html`<h1>${words.errors.down}</h1>${again}`
}

/** htmx exchanges the whole content, even where a form exchanges a part that this page does not have. */
function exchangeAll({ c }: Visit): void {
  c.header('HX-Retarget', '#main')
  c.header('HX-Reselect', '#main')
  c.header('HX-Reswap', 'outerHTML')
}

export function explain(
  visit: Visit,
  status: 400 | 403 | 404 | 413 | 429 | 500 | 503,
  title: string,
  text: Html,
): Reply {
  exchangeAll(visit)
  const home = html`<p><a href="/">${visit.words.errors.home}</a></p>`
  return visit.show({ title, main: html`<h1>${title}</h1>${text}${home}` }, status)
}
