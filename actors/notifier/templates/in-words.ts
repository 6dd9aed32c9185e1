/**
 * Ids as people are shown them. Ids are chosen by strangers, and the library's words carry them to others: so nothing in
 * them may become a link, markup, a mention or a number to call.
 *
 * I1. Of any id, only letters, digits, `-` and `_` are shown; a middle dot stands for everything else.
 * I2. An id of a book that stock never had is not shown to customers at all. A purchaser, who has to buy it, and operators
 *     see it, and what could be a phone number in it is hidden unless it is an ISBN. So is that of any customer's id.
 * I3. So in the reason of a failed delivery, which may be a stranger's server's words, nothing is an address of anything, in
 *     whatever script.
 */
import type { Subject } from '../plan/notice.ts'

const idLengthMax = 64

/** @returns the subject with ids that are fit to be shown; `bookid` is null where there is none to show. */
export function inWords<Told extends Subject>(subject: Told): Told {
  const { bookid, userid, kind, reason } = subject
  return {
    ...subject,
    reason: reason && kind === 'delivery-failed' ? withoutLinks(reason) : reason,
    bookid: bookid && bookInWords(bookid, subject),
    userid: userid && withoutNumbers(userid),
  }
}

function bookInWords(bookid: string, { kind, userid, reason }: Subject): string | null {
  if (reason === 'UnknownBook') return userid === null ? withoutNumbers(bookid) : null
  // Whether stock had the book is not said there.
  return kind === 'delivery-failed' ? withoutNumbers(bookid) : plain(bookid)
}

/** A dot before a letter, two slashes, an at sign: also those that IDNA and input methods of East Asia take for them. */
const joints =
  /[.\u2024\u3002\ufe52\uff0e\uff61](?=[\p{L}\p{M}\p{N}])|(?:[:\ufe55\uff1a]?[/\\\uff0f\u2044\u2215]){2,}|[@\ufe6b\uff20]/gu
/** Codes of mail servers, as in `550 5.1.1`, lead nowhere. */
const codes = /^\d\.\d{1,3}\.\d{1,3}$/

const withoutLinks = (said: string) =>
  said
    .split(' ')
    .map((word) => (codes.test(word) ? word : word.replaceAll(joints, '·')))
    .join(' ')

function plain(id: string): string {
  const shown = id.length > idLengthMax ? `${id.slice(0, idLengthMax)}…` : id
  return shown.replaceAll(/[^\w…-]+/g, '·')
}

const uuid = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i

/** Seven digits or more, however they are parted. */
const numbers = /\d(?:[-_·]*\d){6,}/g

function withoutNumbers(id: string): string {
  if (uuid.test(id)) return id
  return plain(id).replaceAll(numbers, (number) =>
    isIsbn(id) ? number : `${number.slice(0, 2)}…${number.slice(-2)}`,
  )
}

/** By its check digit. */
function isIsbn(id: string): boolean {
  const digits = id.replaceAll('-', '')
  if (/^97[89]\d{10}$/.test(digits))
    return [...digits].reduce((sum, it, i) => sum + Number(it) * (i % 2 === 0 ? 1 : 3), 0) % 10 === 0
  if (!/^\d{9}[\dX]$/.test(digits)) return false
  return [...digits].reduce((sum, it, i) => sum + (it === 'X' ? 10 : Number(it)) * (10 - i), 0) % 11 === 0
}
