/** The rules of a book: what its reservations and its copies may do. */
import type { z } from 'zod'
import type { rulesSchema } from '../messages.ts'

/** The rules that a book has of its own. Those that are absent are the installation's. */
export type OwnRules = z.infer<typeof rulesSchema>

export type Rules = { [Name in keyof OwnRules]-?: Exclude<OwnRules[Name], undefined> }

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

/** @returns `defaults`, except where a book, or an installation, has rules of its own. */
export function rulesOf(defaults: Rules, own?: OwnRules | null): Rules {
  if (!own) return defaults
  const set = Object.entries(own).filter(([, value]) => value !== undefined)
  return set.length === 0 ? defaults : { ...defaults, ...Object.fromEntries(set) }
}

const names = Object.keys(presets.original) as (keyof Rules)[]

export const isOriginal = (rules: Rules): boolean =>
  names.every((name) => rules[name] === presets.original[name])
