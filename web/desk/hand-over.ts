/** The forms for a copy that is set aside: it is handed over, or its reservation is canceled. */
import { causes } from '../apis/reservation.ts'
import { hiddenFields, keyField } from '../form.ts'
import { type Html, html } from '../html.ts'
import type { Visit } from '../visit.ts'
import type { Copy } from './copy.ts'
import type { Given } from './holds.ts'
import { inPlace } from './work.ts'

/** To the customer whose card was shown: stock compares it with the reservation. */
export const handOver = ({ reservationid, userid }: Copy) => ({
  action: '/desk/hand-over',
  fields: { reservationid, userid, customer: userid },
})

export function handOverForm({ words: { desk } }: Visit, copy: Copy): Html {
  const { action, fields } = handOver(copy)
  return html`<form method="post" action="${action}"${inPlace()}>${keyField()}${hiddenFields(fields)}<button${
    copy.isReady ? '' : html` class="quiet"`
  }>${desk.handOver}</button></form>`
}

/** To a customer whose card is yet to be shown. */
export const cardForm = ({ words: { desk } }: Visit, { reservationid }: Copy): Html =>
  html`<form method="post" action="/desk/hand-over" class="scan"${inPlace()}>
<div><label for="card">${desk.card}</label>
<input id="card" name="userid" maxlength="128" autocomplete="off" autocapitalize="off" spellcheck="false" required autofocus></div>
<button>${desk.handOver}</button>
${keyField()}${hiddenFields({ reservationid })}
</form>
<form method="post" action="/desk/hand-over"${inPlace()}>${keyField()}${hiddenFields({
    reservationid,
  })}<button class="quiet">${desk.withoutCard}</button></form>`

/** With the cause, which the customer sees. */
export function cancelForm(
  { words: { desk } }: Visit,
  { reservationid, userid }: Copy,
  given: Given = {},
): Html {
  const isGiven = given.reservationid === reservationid && given.cause !== undefined
  const { cause = causes[0], note = '' } = isGiven ? given : {}
  return html`<details class="more"${isGiven ? html` open` : ''}>
<summary>${desk.cancel}</summary>
<form method="post" action="/desk/cancel"${inPlace()}>${keyField()}${hiddenFields({
    reservationid,
    customer: userid,
  })}
<fieldset><legend>${desk.cause}</legend>
${causes.map(
  (it) =>
    html`<label><input type="radio" name="cause" value="${it}"${it === cause ? html` checked` : ''}> ${desk.causes[it]}</label>`,
)}</fieldset>
<label>${desk.note} <input name="note" value="${note}" maxlength="200"></label>
<button>${desk.cancelYes}</button>
</form>
</details>`
}
