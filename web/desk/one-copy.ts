/** Copies that were found by a code, a reservation's id or an ISBN, before a card was shown. */
import type { Apis } from '../apis/apis.ts'
import { type Html, html } from '../html.ts'
import { isbnOf } from '../isbn.ts'
import { type Part, part } from '../part.ts'
import { table } from '../table.ts'
import type { Visit } from '../visit.ts'
import { type Copy, code, copyOfTask, named, until } from './copy.ts'
import { cancelForm, cardForm } from './hand-over.ts'
import { findByEnding, findTasks } from './tasks.ts'

/** @returns those on the hold shelf first. A card number is no book's number here, so books are found by their ISBN alone. */
export async function findCopies(
  apis: Apis,
  scan: string,
): Promise<{ copies: Copy[]; parts: Part<unknown>[] }> {
  const kinds = ['ready', 'pull'] as const
  const found = await Promise.all(
    kinds.map(async (kind) => {
      if (isbnOf(scan) !== undefined) return await findTasks(apis, kind, scan)
      const tasks = await part(findByEnding(apis, kind, scan))
      return { tasks: tasks.ok ? tasks.value : [], parts: [tasks] }
    }),
  )
  return {
    copies: found.flatMap(({ tasks }, i) => tasks.map((it) => copyOfTask(it, kinds[i]!))),
    parts: found.flatMap(({ parts }) => parts),
  }
}

/** The card is asked for: any visitor who passes the shelf can read the code of a slip. */
export function showCopy(visit: Visit, copy: Copy): Html {
  const { desk, work } = visit.words
  return html`<section class="offer" aria-labelledby="copy">
<h2 id="copy">${named(visit, copy)}</h2>
<dl class="facts">
<dt>${work.customer}</dt><dd>${copy.userid}</dd>
<dt>${work.code}</dt><dd>${code(copy)}</dd>
${copy.isReady ? html`<dt>${work.until}</dt><dd>${until(visit, copy)}</dd>` : html`<dt>${work.place}</dt><dd>${desk.notOnShelf}</dd>`}
</dl>
${cardForm(visit, copy)}
${cancelForm(visit, copy)}
</section>`
}

export function showCopies(visit: Visit, copies: Copy[]): Html | '' {
  const { desk, work } = visit.words
  return table(
    desk.choose,
    [
      { name: work.book, cell: (it) => named(visit, it) },
      { name: work.code, cell: (it) => html`<a href="/desk?scan=${it.reservationid}">${code(it)}</a>` },
      { name: work.customer, cell: ({ userid }) => html`<span class="person">${userid}</span>` },
      { name: work.until, cell: (it) => (it.isReady ? until(visit, it) : desk.notOnShelf) },
    ],
    copies,
  )
}
