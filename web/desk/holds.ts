/** Changes holds for staff, and says in words what came of it. */
import type { ServiceName } from '../../platform/config.ts'
import { type Answer as ApiAnswer, ApiDown, type Refusal } from '../apis/call.ts'
import type { Hold } from '../apis/stock.ts'
import { codeOf } from '../code.ts'
import { type Html, html } from '../html.ts'
import { part } from '../part.ts'
import type { Visit } from '../visit.ts'
import type { Words } from '../words/words.ts'
import type { Answer } from './work.ts'

/** A thing that was done: a text of `words.work.did`. */
type Did = keyof Words['work']['did']

/** Why it was not done. The page is shown again with it. */
export type Refused = {
  answer: Answer
  status: 409 | 422 | 503
  missing?: ServiceName[]
  /** The form, which is shown again with what was entered. */
  given?: Given
}
export type Given = Record<string, string>

/** @returns undefined when it is done. */
export async function attempt(
  visit: Visit,
  reservationid: string | undefined,
  change: () => Promise<ApiAnswer<unknown>>,
): Promise<Refused | undefined> {
  try {
    const answer = await change()
    if (answer.ok) return undefined
    return { answer: { tone: 'bad', text: await inWords(visit, answer.refusal, reservationid) }, status: 409 }
  } catch (error) {
    if (!(error instanceof ApiDown)) throw error
    return { answer: { tone: 'bad', text: visit.words.work.down }, status: 503, missing: [error.api] }
  }
}

async function inWords(
  visit: Visit,
  { slug, title, detail }: Refusal,
  reservationid: string | undefined,
): Promise<string> {
  const { work } = visit.words
  return work.refused[slug] ?? `${work.notDone} ${(await nowOf(visit, reservationid)) ?? detail ?? title}`
}

/** @returns the present state of a reservation's hold in words; undefined if it is not known. */
export async function nowOf(
  { words, apis }: Visit,
  reservationid: string | undefined,
): Promise<string | undefined> {
  const hold =
    reservationid === undefined ? undefined : await part(apis.stock.read('getHold', { reservationid }))
  return hold?.ok && hold.value ? words.work.now[hold.value.status] : undefined
}

/** A form that cannot be read. */
export const malformed = ({ words }: Visit, given: Given = {}): Refused => ({
  answer: { tone: 'bad', text: words.work.malformed },
  status: 422,
  given,
})

/** Leads back to a page that says what was done, by `answerOf`. */
export function doneAt(visit: Visit, path: string, did: Did, reservationid?: string): Response {
  const url = new URL(path, 'http://localhost')
  url.searchParams.set('did', did)
  if (reservationid !== undefined) url.searchParams.set('of', reservationid)
  return visit.goTo(url.pathname + url.search)
}

/** The statuses of a hold to which it was done. A page that claims more says nothing. */
const after: Partial<Record<Did, string[]>> = {
  handedOver: ['Collected', 'Returned'],
  shelved: ['Ready', 'Collected'],
  extended: ['Ready', 'Collected'],
  returned: ['Returned'],
  damaged: ['Returned'],
}

export type Done = { did: Did; hold: Hold | undefined; answer: Answer }

/** @returns the thing that was done before the page was loaded, as `doneAt` noted it. */
export async function doneBefore(visit: Visit): Promise<Done | undefined> {
  const { apis, words } = visit
  const did = visit.query('did')
  if (did === undefined || !Object.hasOwn(words.work.did, did)) return undefined
  const of = visit.query('of')
  const found = of === undefined ? undefined : await part(apis.stock.read('getHold', { reservationid: of }))
  const hold = found?.ok ? found.value : undefined
  if (found?.ok && !(after[did as Did]?.includes(hold?.status ?? '') ?? true)) return undefined
  const title = hold ? await titleOfBook(visit, hold.bookid) : (visit.query('userid') ?? words.work.theCopy)
  const answer = { tone: 'good' as const, text: words.work.did[did as Did](title), more: facts(visit, hold) }
  return { did: did as Did, hold, answer }
}

function facts({ dates, words: { work } }: Visit, hold: Hold | undefined): Html | '' {
  if (hold?.status !== 'Ready') return ''
  const { reservationid, pickupBy } = hold
  return html`${work.code} <strong class="letters">${codeOf(reservationid)}</strong>${
    pickupBy === null ? '' : html` · ${work.until} <strong>${dates.at(pickupBy)}</strong>`
  } · <a href="/shelf/ready?scan=${reservationid}">${work.slip}</a>`
}

async function titleOfBook({ site, words }: Visit, bookid: string): Promise<string> {
  const titles = await site.titles.of([bookid])
  return titles.get(bookid)?.title || words.book.untitled(bookid)
}
