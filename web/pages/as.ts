/** `/as`: while the system has no identities, people choose who they are. */
import { html } from 'hono/html'
import { z } from 'zod'
import { faultsOf, textField } from '../form.ts'
import { idSchema } from '../ids.ts'
import type { PageRoutes } from '../routes.ts'
import type { Reply, Visit } from '../visit.ts'
import { forget, remember, roles } from '../who.ts'

const schema = z.object({ userid: idSchema, role: z.enum(roles), to: z.string().default('/') })
const leaving = z.object({ leave: z.string() })

export function mountAs(pages: PageRoutes): void {
  pages.get('/as', 'anyone', (visit) => {
    const { userid, role } = visit.who ?? { userid: '', role: 'customer' }
    return show(visit, { userid, role, to: visit.query('to') ?? '/' })
  })

  pages.post('/as', 'anyone', async (visit) => {
    const { c, site } = visit
    if ((await visit.form(leaving)).ok) {
      forget(c)
      return visit.goTo('/as')
    }
    const submitted = await visit.form(schema)
    if (!submitted.ok) return show(visit, submitted.given, submitted.faults)
    const { to, ...who } = submitted.values
    remember(c, who, site.secure)
    return visit.goTo(localPath(to))
  })
}

function show(visit: Visit, given: Record<string, string>, faults: string[] = []): Reply {
  const { words, who } = visit
  const { as } = words
  const faultOf = (name: string) => (faults.includes(name) ? as.faults[name] : undefined)
  const main = html`<h1>${as.title}</h1>
<p>${as.text}</p>
${faultsOf(
  words,
  faults.flatMap((it) => as.faults[it] ?? []),
)}
<form method="post" action="/as" class="narrow">
<input type="hidden" name="to" value="${given.to ?? '/'}">
${textField({
  name: 'userid',
  label: as.userid,
  value: given.userid,
  help: as.useridHelp,
  fault: faultOf('userid'),
  autocomplete: 'username',
  autofocus: faults.length === 0,
  required: true,
})}
<fieldset><legend>${as.role}</legend>
${roles.map(
  (it) =>
    html`<label><input type="radio" name="role" value="${it}"${it === given.role ? html` checked` : ''}> ${
      words.roles[it]
    }</label>`,
)}
</fieldset>
<button>${as.submit}</button>
</form>
${who ? html`<form method="post" action="/as"><button name="leave" value="yes" class="quiet">${as.leave}</button></form>` : ''}`
  return visit.show({ title: as.title, main }, faults.length > 0 ? 422 : 200)
}

/** @returns the path, if it is one of these pages; otherwise the first page. */
const localPath = (to: string): string => (/^\/(?![/\\])/.test(to) ? to : '/')
