/** The short code of a reservation, which a customer says at the desk. */

/** Crockford's base 32, without letters that look like digits. Source: https://www.crockford.com/base32.html */
const letters = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/**
 * Six letters for the last 30 bits of the id, which are random. Two of a thousand copies on the hold shelf have the same code once in
 * two thousand times, so a search by code may find more than one.
 */
export function codeOf(reservationid: string): string {
  const bits = Number.parseInt(reservationid.replaceAll('-', '').slice(-8), 16)
  return Array.from({ length: 6 }, (_, i) => letters[Math.floor(bits / 32 ** (5 - i)) % 32]).join('')
}
