/** `/me/data`: customers export what is kept of them, and erase it. */
import { html } from 'hono/html'
import { z } from 'zod'
import type { PageRoutes } from '../routes.ts'
import type { Reply, Visit } from '../visit.ts'

const schema = z.object({ confirm: z.string().default('') })

export function mountMyData(routes: PageRoutes): void {
  const { reservation, notifier } = routes.site.apis

  routes.get('/me/data', 'known', (visit) => show(visit))

  routes.get('/me/data/reservations.json', 'known', async (visit, { userid }) =>
    toFile(visit, 'reservations', await reservation.read('exportCustomer', { userid })),
  )

  routes.get('/me/data/notices.json', 'known', async (visit, { userid }) =>
    toFile(visit, 'notices', await notifier.read('exportContact', { userid })),
  )

  routes.post('/me/data', 'known', async (visit, { userid }) => {
    const { myData } = visit.words
    const submitted = await visit.form(schema)
    if (!submitted.ok || submitted.values.confirm !== 'yes') return show(visit, myData.unconfirmed, 422)
    // Reservations first: while one is active, nothing is erased.
    const answer = await reservation.call('eraseCustomer', { userid })
    if (!answer.ok) return show(visit, myData.active, 409)
    await notifier.call('eraseContact', { userid })
    // Also the session that asks: nothing is kept of its customer.
    await visit.site.login?.ended.endAll(userid)
    return visit.goTo('/me/data', 'erased')
  })
}

/** Laid out for people: few programs read it, and none needs it compact. */
function toFile({ c }: Visit, name: string, data: unknown): Response {
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    'content-disposition': `attachment; filename="${name}.json"`,
    'cache-control': 'no-store',
  }
  return c.body(`${JSON.stringify(data, null, 2)}\n`, 200, headers)
}

function show(visit: Visit, fault?: string, status: 200 | 409 | 422 = 200): Reply {
  const { myData } = visit.words
  const main = html`<h1>${myData.title}</h1>
${fault ? html`<p class="notice" role="alert" tabindex="-1" autofocus>${fault}</p>` : ''}
<h2>${myData.keptTitle}</h2>
<p>${myData.kept}</p>
<ul>
<li><a href="/me/data/reservations.json" download>${myData.reservations}</a></li>
<li><a href="/me/data/notices.json" download>${myData.notices}</a></li>
</ul>
<h2>${myData.eraseTitle}</h2>
<p>${myData.erase}</p>
<form method="post" action="/me/data" class="narrow">
<label><input type="checkbox" name="confirm" value="yes"> ${myData.confirm}</label>
<button>${myData.submit}</button>
</form>`
  return visit.show({ title: myData.title, main }, status)
}
