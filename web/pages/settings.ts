/** `/me/settings`: how a customer is notified. */
import { z } from 'zod'
import type { Fault } from '../apis/call.ts'
import { type Channel, type Contact, type Customer, channels } from '../apis/notifier.ts'
import { faultsOf, textField } from '../form.ts'
import { type Html, html } from '../html.ts'
import { part } from '../part.ts'
import type { PageRoutes } from '../routes.ts'
import type { Reply, Visit } from '../visit.ts'
import { locales, wordsOf } from '../words/words.ts'

const text = z
  .string()
  .trim()
  .max(2_048)
  .default('')
  .transform((it) => it || null)

const choice = z.enum(['', ...channels]).default('')

const schema = z.object({
  email: text,
  phone: text,
  webhook: text,
  locale: z.enum(locales),
  channel1: choice,
  channel2: choice,
  channel3: choice,
  channel4: choice,
})
type Values = z.output<typeof schema>

export function mountSettings(routes: PageRoutes): void {
  const { notifier } = routes.site.apis

  routes.get('/me/settings', 'known', async (visit, { userid }) => {
    const customer = await part(notifier.read('getCustomer', { userid }))
    const { settings } = visit.words
    if (customer.ok) return show(visit, toValues(customer.value, visit), [], customer.value === undefined)
    return visit.show({ title: settings.title, main: html`<h1>${settings.title}</h1>`, parts: [customer] })
  })

  routes.post('/me/settings', 'known', async (visit, { userid }) => {
    const submitted = await visit.form(schema)
    if (!submitted.ok)
      return show(visit, { ...toValues(undefined, visit), ...submitted.given }, submitted.faults)
    const answer = await notifier.call('setCustomer', { userid, body: toContact(submitted.values) })
    if (answer.ok) return visit.goTo('/me/settings', 'saved')
    return show(visit, submitted.values, faultyFields(answer.refusal.errors))
  })
}

function toContact({ email, phone, webhook, locale, ...chosen }: Values): Contact {
  const { channel1, channel2, channel3, channel4 } = chosen
  const order = [channel1, channel2, channel3, channel4].filter((it) => it !== '')
  return { email, phone, webhook, locale, channels: order.length > 0 ? order : null }
}

function toValues(customer: Customer | undefined, visit: Visit): Values {
  const { email = null, phone = null, webhook = null, channels: order = null } = customer ?? {}
  const locale = locales.find((it) => it === customer?.locale.split('-')[0]) ?? visit.locale
  const at = (i: number): Channel | '' => channels.find((it) => it === order?.[i]) ?? ''
  const chosen = { channel1: at(0), channel2: at(1), channel3: at(2), channel4: at(3) }
  return { email, phone, webhook, locale, ...chosen }
}

/** The notifier names a field by its pointer, such as `/channels/0`. */
const faultyFields = (errors: Fault[]): string[] => [
  ...new Set(errors.map(({ pointer = '' }) => pointer.split('/')[1] ?? '')),
]

function show(visit: Visit, values: Values, faults: string[], isNew = false): Reply {
  const { settings } = visit.words
  const faultOf = (name: string) => (faults.includes(name) ? settings.faults[name] : undefined)
  const field = (
    name: 'email' | 'phone' | 'webhook',
    more: { help?: string; type: string; autocomplete?: string },
  ) => textField({ name, label: settings[name], value: values[name] ?? '', fault: faultOf(name), ...more })
  const main = html`<h1>${settings.title}</h1>
${isNew ? html`<p class="notice">${settings.none}</p>` : ''}
${faultsOf(
  visit.words,
  faults.flatMap((it) => labelled(visit, it)),
)}
<form method="post" action="/me/settings" class="narrow" novalidate>
${field('email', { type: 'email', autocomplete: 'email' })}
${field('phone', { type: 'tel', autocomplete: 'tel', help: settings.phoneHelp })}
${field('webhook', { type: 'url', help: settings.webhookHelp })}
${order(visit, values)}
<fieldset><legend>${settings.locale}</legend>
${locales.map(
  (it) =>
    html`<label><input type="radio" name="locale" value="${it}"${it === values.locale ? html` checked` : ''}> <span lang="${it}">${wordsOf[it].name}</span></label>`,
)}
</fieldset>
<button>${settings.submit}</button>
</form>
<p><a href="/me/data">${visit.words.myData.link}</a></p>`
  return visit.show({ title: settings.title, main }, faults.length > 0 ? 422 : 200)
}

function labelled({ words: { settings } }: Visit, name: string): string[] {
  const { email, phone, webhook, channels, locale } = settings
  const labels: Record<string, string> = { email, phone, webhook, channels, locale }
  const fault = settings.faults[name]
  return fault === undefined ? [] : [`${labels[name]}: ${fault}`]
}

/** A list for each choice, so that an order can be given without scripts. */
function order({ words: { settings } }: Visit, values: Values): Html {
  const option = (value: Channel | '', text: string, chosen: string) =>
    html`<option value="${value}"${value === chosen ? html` selected` : ''}>${text}</option>`
  const list = (name: 'channel1' | 'channel2' | 'channel3' | 'channel4', i: number) =>
    html`<label>${settings.choice(i + 1)}
<select name="${name}">${option('', settings.noChoice, values[name])}${channels.map((it) =>
      option(it, settings.channel[it], values[name]),
    )}</select></label>`
  return html`<fieldset aria-describedby="channels-help"><legend>${settings.channels}</legend>
<small id="channels-help" class="help">${settings.channelsHelp}</small>
<div class="choices">${(['channel1', 'channel2', 'channel3', 'channel4'] as const).map(list)}</div>
</fieldset>`
}
