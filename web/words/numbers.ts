/** Numbers and spans of time as a language writes them. */
const units = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
] as const

export function numbersIn(locale: string) {
  const { format } = new Intl.NumberFormat(locale)
  const spans = units.map(([unit, size]) => {
    const { format } = new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'long' })
    return { size, format }
  })
  return {
    /** Such as 51,204. A figure that does not exist is a dash. */
    number: (n: number | null): string => (n === null ? '–' : format(n)),
    /** The tag of a text with numbers in it. */
    say: (texts: TemplateStringsArray, ...values: (string | number)[]): string =>
      String.raw({ raw: texts }, ...values.map((it) => (typeof it === 'number' ? format(it) : it))),
    /** In its largest unit, such as 3 minutes. */
    lasted(seconds: number): string {
      const { size, format } = spans.find(({ size }) => seconds >= size) ?? spans.at(-1)!
      return format(Math.floor(seconds / size))
    },
  }
}
