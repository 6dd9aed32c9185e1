/** A state of a page, and the persons who see it. */
import type { Page } from 'playwright-core'

export type State = {
  name: string
  /** With names of `ids` in braces. */
  path: string
  as?: { userid: string; role: string }
  /** Errors on the console that belong to the page. */
  allowed?: RegExp
  /** Acts as the person does on the page. */
  act?(page: Page): Promise<unknown>
}

export const reader = { userid: 'reader-of-long-titles', role: 'customer' }
export const staff = { userid: 'jun', role: 'stock-manager' }
export const purchaser = { userid: 'hana', role: 'purchaser' }
export const operator = { userid: 'ops', role: 'operator' }
export const nobody = { userid: 'new-reader', role: 'customer' }
