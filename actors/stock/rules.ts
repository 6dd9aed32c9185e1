/** Rules of books: the installation's, of which a book may replace some. */
import type { BookRules } from '../messages.ts'

export type Rules = { [rule in keyof BookRules]-?: Exclude<BookRules[rule], undefined> }

export const presets = {
  /** As if there were no rules: a reservation gets a copy at once or fails, and holds it until it is canceled. */
  original: {
    queueMax: 0,
    queuePerCopy: null,
    pickupDays: null,
    pullStep: false,
    onePerBook: false,
    waitDays: null,
    lend: false,
  },
  library: {
    queueMax: 10,
    queuePerCopy: 3,
    pickupDays: 3,
    pullStep: true,
    onePerBook: true,
    waitDays: 90,
    lend: true,
  },
  bookshop: {
    queueMax: 1_000,
    queuePerCopy: null,
    pickupDays: 7,
    pullStep: true,
    onePerBook: false,
    waitDays: 180,
    lend: false,
  },
} as const satisfies Record<string, Rules>

/** @param own of a book, or of the installation. */
export function rulesOf(defaults: Rules, own: BookRules | null): Rules {
  if (own === null) return defaults
  const set = Object.entries(own).filter(([, value]) => value !== undefined)
  return set.length === 0 ? defaults : { ...defaults, ...Object.fromEntries(set) }
}

/** Whether reservations of the book end at Reserved or Failed, as without rules. */
export const isOriginal = (rules: Rules): boolean =>
  rules === presets.original ||
  (Object.keys(presets.original) as (keyof Rules)[]).every((it) => rules[it] === presets.original[it])
