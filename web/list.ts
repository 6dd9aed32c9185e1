/** A page of a list that a service answers. */
import type { Answer } from './apis/call.ts'
import type { Part } from './part.ts'

export type Page<Item> = { items: Item[]; after: string | undefined }

/** @returns an empty page if the service is down, or refuses the key of a page. */
export const pageOf = <Item>(list: Part<Answer<Page<Item>>>): Page<Item> =>
  list.ok && list.value.ok ? list.value.body : { items: [], after: undefined }
