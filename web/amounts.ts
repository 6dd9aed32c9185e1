/** Numbers and spans of time as people write them. */
import type { Locale } from './words/words.ts'

export type Amounts = {
  /** Such as 51,204. */
  number(n: number): string
  /** In its largest unit, such as 3 minutes. */
  lasted(seconds: number): string
}

const units = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
] as const

export function amountsOf(locale: Locale): Amounts {
  const number = new Intl.NumberFormat(locale)
  return {
    number: (n) => number.format(n),
    lasted(seconds) {
      const [unit, size] = units.find(([, size]) => seconds >= size) ?? (['second', 1] as const)
      const format = new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'long' })
      return format.format(Math.floor(seconds / size))
    },
  }
}
