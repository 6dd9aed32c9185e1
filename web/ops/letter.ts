/** How pages show a dead letter. */
import { type ServiceName, serviceNames } from '../../platform/config.ts'
import { withQuery } from '../address.ts'
import type { Letter, LetterFilter } from '../apis/operators.ts'
import { type Html, html } from '../html.ts'
import { Unlisted } from '../list.ts'
import type { Visit } from '../visit.ts'
import { wordFor } from '../words/words.ts'

/** Without a service, the letters of all. */
export type LetterList = LetterFilter & { service?: ServiceName | undefined }

export const isService = (text: string | undefined): text is ServiceName =>
  (serviceNames as readonly (string | undefined)[]).includes(text)

export const lettersPath = (list: LetterList = {}, path = '/ops/letters'): string => withQuery(path, list)

export const letterPath = (service: ServiceName, letterid: string): string =>
  `/ops/letters/${service}/${letterid}`

/** @returns the list that the address names. A reason is exact, with its spaces and breaks of lines. @throws {Unlisted} */
export function letterListOf(visit: Visit): LetterList {
  const service = visit.query('service')
  const partition = visit.query('partition')
  if (service !== undefined && !isService(service)) throw new Unlisted()
  if (partition !== undefined && !/^\d{1,4}$/.test(partition)) throw new Unlisted()
  return {
    service,
    reason: visit.c.req.query('reason') || undefined,
    bookid: visit.query('bookid'),
    partition: partition === undefined ? undefined : Number(partition),
  }
}

export function letterBadge({ words: { ops } }: Visit, { status, redrivable }: Letter): Html {
  if (!redrivable) return html`<span class="badge bad">${ops.letters.lost}</span>`
  const tone = status === 'Redriving' ? 'warm' : ''
  return html`<span class="badge ${tone}">${wordFor(ops.letters.status, status)}</span>`
}
