/**
 * Slips for copies on the hold shelf, 80 mm wide. Only print shows them. The shelf is public, so they name no customer: the code is what
 * the customer knows.
 */
import type { Task } from '../apis/stock.ts'
import { type Html, html } from '../html.ts'
import type { Visit } from '../visit.ts'
import { code, titleOfCopy } from './copy.ts'

export const slips = (visit: Visit, tasks: Task[]): Html =>
  html`<div class="slips">${tasks.map((task) => slip(visit, task))}</div>`

const slip = (visit: Visit, task: Task): Html =>
  html`<section class="slip">
<p class="slip-title">${titleOfCopy(visit, task)}</p>
<p class="slip-code">${code(task)}</p>
${task.pickupBy === null ? '' : html`<p>${visit.words.work.until}<br><strong>${visit.dates.at(task.pickupBy)}</strong></p>`}
</section>`
