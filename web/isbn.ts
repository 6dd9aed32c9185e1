/** ISBNs as people type them and scanners read them. */

/**
 * @returns the 13 digits of an ISBN-10 or ISBN-13 with hyphens, spaces or the price add-on that some scanners append; undefined if
 * the text is none, or its check digit is wrong. Source: https://www.isbn-international.org/content/isbn-users-manual
 */
export function isbnOf(text: string): string | undefined {
  const digits = text.replaceAll(/[\s-]/g, '').toUpperCase()
  if (/^\d{9}[\dX]$/.test(digits)) return fromTen(digits)
  const [, isbn] = /^(97[89]\d{10})(?:\d{2}|\d{5})?$/.exec(digits) ?? []
  return isbn !== undefined && isbn.at(-1) === checkDigit(isbn) ? isbn : undefined
}

function fromTen(digits: string): string | undefined {
  const sum = [...digits].reduce((sum, it, i) => sum + (it === 'X' ? 10 : Number(it)) * (10 - i), 0)
  if (sum % 11 !== 0) return undefined
  const start = `978${digits.slice(0, 9)}`
  return start + checkDigit(start)
}

/** Of the first twelve digits. */
function checkDigit(digits: string): string {
  const sum = [...digits.slice(0, 12)].reduce((sum, it, i) => sum + Number(it) * (i % 2 === 0 ? 1 : 3), 0)
  return String((10 - (sum % 10)) % 10)
}
