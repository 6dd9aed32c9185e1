/**
 * Ids as people are shown them. Ids are chosen by strangers, and the library's words carry them to others: so nothing in
 * them may become a link, markup, a mention or a number to call.
 *
 * I1. Of any id, only letters, digits, `-` and `_` are shown; a middle dot stands for everything else.
 * I2. An id of a book that stock never had is not shown to customers at all. A purchaser, who has to buy it, and operators
 *     see it, and what could be a phone number in it is hidden unless it is an ISBN. So is that of any customer's id.
 */
import type { Subject } from '../notice.ts'

const idLengthMax = 64

/** @returns the subject with ids that are fit to be shown; `bookid` is null where there is none to show. */
export function inWords<Told extends Subject>(subject: Told): Told {
  const { bookid, userid } = subject
  return {
    ...subject,
    bookid: bookid && bookInWords(bookid, subject),
    userid: userid && withoutNumbers(userid),
  }
}

function bookInWords(bookid: string, { kind, userid, reason }: Subject): string | null {
  if (reason === 'UnknownBook') return userid === null ? withoutNumbers(bookid) : null
  // Whether stock had the book is not said there.
  return kind === 'delivery-failed' ? withoutNumbers(bookid) : plain(bookid)
}

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
