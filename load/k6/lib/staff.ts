/** The calls of staff, for books with a queue and a hold shelf. */
import { check } from 'k6'
import http from 'k6/http'
import { settings } from './settings.ts'
import { type Answer, call, jsonOf, names, type Page, paramsOf } from './system.ts'

/** As in a library, with a queue that is long enough for every customer of a run. */
const rules = {
  queueMax: 1_000_000,
  queuePerCopy: null,
  pickupDays: 3,
  pullStep: true,
  onePerBook: true,
  waitDays: 90,
  lend: true,
}

/** @throws when stock refuses the rules, because the run would be meaningless. */
export function setRules(bookid: string): void {
  const answer = call('PUT', names.rules, `${settings.stockUrl}/stocks/${bookid}/rules`, rules)
  if (answer.status !== 200) throw new Error(`Cannot set the rules: ${answer.status} ${answer.body}`)
}

export type Task = { reservationid: string; bookid: string; userid: string }

/** @returns a page of copies to fetch, or of copies on the hold shelf, the oldest first. */
export function tasks(kind: 'pull' | 'ready', limit: number): Task[] {
  const answer = call('GET', names.tasks, `${settings.stockUrl}/tasks?kind=${kind}&limit=${limit}`)
  if (!check(answer, { 'tasks listed': ({ status }) => status === 200 })) return []
  return jsonOf<Page<'tasks', Task>>(answer)._embedded.tasks
}

/** Changes the holds of all tasks at once. A customer may have canceled meanwhile. @returns the tasks that were changed. */
export function changeHolds(all: readonly Task[], change: object): Task[] {
  if (all.length === 0) return []
  const answers = http.batch(
    all.map(({ reservationid }) => ({
      method: 'PATCH',
      url: `${settings.stockUrl}/holds/${reservationid}`,
      body: JSON.stringify(change),
      params: paramsOf(names.hold),
    })),
  ) as Answer[]
  return all.filter((_, n) => {
    check(answers[n]!, {
      'the hold is changed, or was canceled': ({ status }) => status === 200 || status === 409,
    })
    return answers[n]!.status === 200
  })
}

export type Movement = { type: string; data: { place?: number; first?: boolean } }

/** @returns all movements of a book, the oldest first; undefined if they cannot be read. */
export function movementsOf(bookid: string): Movement[] | undefined {
  const found: Movement[] = []
  for (let next: string | undefined = `/stocks/${bookid}/movements?limit=200`; next; ) {
    const answer = call('GET', names.movements, settings.stockUrl + next)
    if (!check(answer, { 'movements listed': ({ status }) => status === 200 })) return undefined
    const page = jsonOf<Page<'movements', Movement>>(answer)
    found.push(...page._embedded.movements)
    next = page._links.next?.href
  }
  return found.reverse()
}
