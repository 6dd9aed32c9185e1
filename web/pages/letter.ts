/** `/ops/letters/{service}/{letterid}`: one message that was set aside, to be handled again or dropped. */
import { z } from 'zod'
import type { ServiceName } from '../../platform/config.ts'
import type { OpenedLetter } from '../apis/operators.ts'
import { bookPath } from '../book.ts'
import { notFound } from '../errors.ts'
import { type Html, html } from '../html.ts'
import { live, liveRegion, news } from '../live.ts'
import { isService, letterBadge, letterPath, lettersPath } from '../ops/letter.ts'
import { polled } from '../polled.ts'
import { replacing } from '../reservation.ts'
import type { PageRoutes } from '../routes.ts'
import type { Reply, Visit } from '../visit.ts'

/** Without scripts, of a page whose letter is being handled. */
const refreshS = 5

/** The time at which the letter was set aside, as the page has shown it. */
const seenSchema = z.object({ at: z.iso.datetime() })

type Place = { service: ServiceName; letterid: string }

export function mountLetter(routes: PageRoutes): void {
  const { apis } = routes.site

  const read = ({ service, letterid }: Place) => apis.operators[service].read('getDeadLetter', { letterid })

  const withPlace = (handler: (visit: Visit, place: Place) => Reply) => (visit: Visit) => {
    const service = visit.param('service')
    return isService(service)
      ? handler(visit, { service, letterid: visit.param('letterid') })
      : notFound(visit)
  }

  routes.get(
    '/ops/letters/:service/:letterid',
    ['operator'],
    withPlace(async (visit, place) => {
      const it = await read(place)
      if (!it) return gone(visit)
      const title = titleOf(visit, it)
      const following = it.status === 'Redriving'
      const main = html`<h1>${title}</h1>
${following ? liveRegion(`${pathOf(place)}/stream`) : ''}
${now(visit, place, it)}
${facts(visit, place, it)}
${content(visit, place, it)}
${toList(visit)}`
      return visit.show({ title, main, ...(following && { refreshS }) })
    }),
  )

  routes.get(
    '/ops/letters/:service/:letterid/stream',
    ['operator'],
    withPlace((visit, place) =>
      live(visit, routes.stopping, async function* (signal) {
        const { ops } = visit.words
        const isOver = (it: OpenedLetter | undefined) => it?.status !== 'Redriving'
        for await (const it of polled(() => read(place), isOver, signal)) {
          if (!it) yield html`${handled(visit, true)}${news(ops.letter.gone)}`
          else yield html`${now(visit, place, it, true)}${isOver(it) ? news(it.reason) : ''}`
        }
      }),
    ),
  )

  routes.post(
    '/ops/letters/:service/:letterid/redrive',
    ['operator'],
    withPlace(async (visit, place) => {
      const submitted = await visit.form(seenSchema)
      if (!submitted.ok) return visit.goTo(pathOf(place), 'again')
      const it = await read(place)
      // It was handled, so the button was clicked twice.
      if (!it) return visit.goTo(lettersPath(), 'letterGone')
      if (it.at !== submitted.values.at) return visit.goTo(pathOf(place), 'failedAgain')
      const answer = await apis.operators[place.service].call('redriveDeadLetter', {
        letterid: place.letterid,
      })
      if (answer.ok) return visit.goTo(pathOf(place), 'redriving')
      return answer.refusal.status === 404
        ? visit.goTo(lettersPath(), 'letterGone')
        : visit.goTo(pathOf(place), 'notRedrivable')
    }),
  )

  routes.get(
    '/ops/letters/:service/:letterid/drop',
    ['operator'],
    withPlace(async (visit, place) => {
      const it = await read(place)
      if (!it) return gone(visit)
      const { letter } = visit.words.ops
      const main = html`<h1>${letter.dropTitle}</h1>
${facts(visit, place, it)}
<form method="post" class="offer">
<p>${letter.dropText}</p>
<div class="actions"><button>${letter.dropYes}</button> <a href="${pathOf(place)}">${letter.dropNo}</a></div>
</form>`
      return visit.show({ title: letter.dropTitle, main })
    }),
  )

  routes.post(
    '/ops/letters/:service/:letterid/drop',
    ['operator'],
    withPlace(async (visit, { service, letterid }) => {
      const { ok } = await apis.operators[service].call('dropDeadLetter', { letterid })
      return visit.goTo(lettersPath(), ok ? 'dropped' : 'letterGone')
    }),
  )
}

const pathOf = ({ service, letterid }: Place) => letterPath(service, letterid)

const titleOf = ({ words: { ops } }: Visit, { type }: OpenedLetter) =>
  ops.letter.title(type ?? ops.letters.untyped)

const toList = ({ words: { ops } }: Visit) => html`<p><a href="${lettersPath()}">${ops.letter.list}</a></p>`

function gone(visit: Visit): Reply {
  const { letters } = visit.words.ops
  return visit.show(
    { title: letters.title, main: html`<h1>${letters.title}</h1>${handled(visit)}${toList(visit)}` },
    404,
  )
}

const handled = ({ words: { ops } }: Visit, live = false) =>
  html`<section id="letter" class="outcome"${replacing(live)}><p>${ops.letter.gone}</p></section>`

/** The present state, and what can be done. */
function now(visit: Visit, place: Place, it: OpenedLetter, live = false): Html {
  const { letter } = visit.words.ops
  const canRedrive = it.redrivable && it.status !== 'Redriving'
  const text = !it.redrivable ? letter.lost : it.status === 'Redriving' ? letter.Redriving : letter.SetAside
  return html`<section id="letter" class="outcome" aria-label="${visit.words.ops.letters.state}"${replacing(live)}>
<p>${letterBadge(visit, it)}</p>
<p class="whole" lang="en">${it.reason}</p>
<p>${text}</p>
<div class="actions">
${
  canRedrive
    ? html`<form method="post" action="${pathOf(place)}/redrive">
<input type="hidden" name="at" value="${it.at}">
<button>${letter.redrive}</button></form>`
    : ''
}
<a href="${pathOf(place)}/drop">${letter.drop}</a>
</div>
</section>`
}

function facts({ words, dates }: Visit, { service }: Place, it: OpenedLetter): Html {
  const { letters, services } = words.ops
  return html`<dl class="facts">
<dt>${letters.at}</dt><dd>${dates.happened(it.at)}</dd>
<dt>${letters.service}</dt><dd>${services[service]}</dd>
<dt>${letters.partition}</dt><dd>${it.partition}</dd>
<dt>${letters.position}</dt><dd><code>${it.position}</code></dd>
<dt>${letters.type}</dt><dd>${it.type ?? letters.untyped}</dd>
<dt>${letters.book}</dt><dd>${it.bookid === null ? '–' : html`<a href="${bookPath(it.bookid)}">${it.bookid}</a>`}</dd>
</dl>`
}

/** Hidden until it is asked for, because it may name a customer. */
function content(visit: Visit, place: Place, { message, fields }: OpenedLetter): Html {
  const { letter } = visit.words.ops
  if (visit.query('content') !== 'shown')
    return html`<h2 id="content">${letter.content}</h2>
<p>${letter.hidden} <a href="${pathOf(place)}?content=shown#content">${letter.open}</a></p>`
  return html`<h2 id="content">${letter.content}</h2>
<p><a href="${pathOf(place)}">${letter.close}</a></p>
${
  message != null
    ? payload(letter.content, JSON.stringify(message, null, 2))
    : fields.length > 0
      ? html`<p>${letter.raw}</p>${payload(letter.content, fields.join('\n'))}`
      : html`<p class="empty">${letter.empty}</p>`
}`
}

/** It can be scrolled by keyboard. */
const payload = (name: string, text: string) =>
  html`<pre class="payload" tabindex="0" role="region" aria-label="${name}"><code>${text}</code></pre>`
