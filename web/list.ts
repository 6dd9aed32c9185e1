/** A page of a list that a service answers. */
import type { Answer } from './apis/call.ts'
import type { Part } from './part.ts'

export type Page<Item> = { items: Item[]; after: string | undefined }

/** The address names a page or a filter that the list does not have. */
export class Unlisted extends Error {
  override name = 'Unlisted'
}

/** @returns an empty page if the service is down, or has no such list. @throws {Unlisted} */
export function pageOf<Item>(list: Part<Answer<Page<Item>>>): Page<Item> {
  if (list.ok && list.value.ok) return list.value.body
  if (list.ok && !list.value.ok && list.value.refusal.status === 400) throw new Unlisted()
  return { items: [], after: undefined }
}
