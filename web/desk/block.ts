/** The forms that block a customer, and end a block. Blocks exist only where reservations are limited. */
import type { Standing } from '../apis/reservation.ts'
import { dayOf } from '../day.ts'
import { hiddenFields } from '../form.ts'
import { type Html, html } from '../html.ts'
import type { Visit } from '../visit.ts'
import type { Given } from './holds.ts'
import { inPlace } from './work.ts'

export function blockForms(visit: Visit, { userid, limit, block }: Standing, given: Given): Html | '' {
  const { desk } = visit.words
  if (limit === null) return ''
  if (block)
    return html`<form method="post" action="/desk/unblock"${inPlace()}>${hiddenFields({
      userid,
    })}<button class="quiet">${desk.unblock}</button></form>`
  const today = dayOf(new Date().toISOString(), visit.site.timeZone)
  const { reason, until = '' } = given
  return html`<details class="more"${reason === undefined ? '' : html` open`}>
<summary>${desk.block}</summary>
<form method="post" action="/desk/block" class="narrow"${inPlace()}>${hiddenFields({ userid })}
<label for="reason">${desk.reason}</label>
<input id="reason" name="reason" value="${reason ?? ''}" maxlength="200" required aria-describedby="reason-help">
<small id="reason-help">${desk.reasonHelp}</small>
<label for="last-day">${desk.lastDay}</label>
<input id="last-day" name="until" type="date" min="${today}" value="${until}" aria-describedby="last-day-help">
<small id="last-day-help">${desk.lastDayHelp}</small>
<button>${desk.blockSubmit}</button>
</form>
</details>`
}
