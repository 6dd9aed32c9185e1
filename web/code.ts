/** The short code of a reservation, which a customer says at the desk. */

/** Crockford's base 32, without letters that look like digits. Source: https://www.crockford.com/base32.html */
const letters = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const length = 6

/**
 * Six letters for the last 30 bits of the id, which are random. Two of a thousand copies on the hold shelf have the same code once in
 * two thousand times, so a search by code may find more than one.
 */
export function codeOf(reservationid: string): string {
  const bits = Number.parseInt(reservationid.replaceAll('-', '').slice(-8), 16)
  return Array.from({ length }, (_, i) => letters[Math.floor(bits / 32 ** (length - 1 - i)) % 32]).join('')
}

/** @returns the code that a text is, whatever its case, with `O` for 0 and `I` or `L` for 1; undefined if it is none. */
export function readCode(text: string): string | undefined {
  const code = text.toUpperCase().replaceAll(/[\s-]/g, '').replaceAll('O', '0').replaceAll(/[IL]/g, '1')
  return code.length === length && [...code].every((it) => letters.includes(it)) ? code : undefined
}

/** @returns the hexadecimal digits with which the ids of a code end: as many as the code says, which is all but two bits of it. */
export function endingOf(code: string): string {
  const bits = [...code].reduce((bits, it) => bits * 32 + letters.indexOf(it), 0)
  return (bits % 2 ** 28).toString(16).padStart(7, '0')
}
