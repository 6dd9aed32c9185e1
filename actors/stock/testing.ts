/** What tests of the stock service share. */
import { presets, type Rules, rulesOf } from './rules.ts'

/** @param pickupBy of every copy that is put on the hold shelf. */
export const withRules = (rules: Rules, pickupBy: string | null = null, lapsesAt: string | null = null) => ({
  surroundings: () => ({
    rulesOf: (book: { rules: Parameters<typeof rulesOf>[1] }) => rulesOf(rules, book.rules),
    pickupBy: () => pickupBy,
    lapsesAt: () => lapsesAt,
  }),
  untended() {},
})

export const withoutRules = withRules(presets.original)
