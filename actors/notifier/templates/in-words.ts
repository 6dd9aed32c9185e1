/**
 * Prepares untrusted ids and texts for people to read. Clients choose the ids, and notices carry them to others. So nothing in
 * them may become a link, markup, a mention or a number to call.
 *
 * I1. Ids are shown with letters, digits, `-` and `_` only; a middle dot replaces everything else.
 * I2. Customers never see the id of a book that stock has never had. The purchaser, who must buy the book, and operators see
 *     it, without anything that could be a phone number, unless it is an ISBN. Phone numbers are also hidden in the ids of
 *     customers.
 * I3. The reason of a failed delivery may quote an untrusted server. It contains no address of any kind, in any script.
 * I4. Titles, authors and notes come from staff. They keep their script and punctuation, but nothing in them makes an
 *     address, a mention or markup, or is invisible. Numbers stay, as in the ids of books in stock.
 */
import { cut } from '../channels/cut.ts'
import type { Subject } from '../plan/notice.ts'

const idLengthMax = 64
const titleLengthMax = 100
/** Of notes of staff. */
const noteLengthMax = 200

/**
 * @returns the subject with ids and texts that are safe to show; `bookid` is null if it must not be shown, `title` and `author`
 *   if there is none.
 */
export function inWords<Shown extends Subject>(subject: Shown): Shown {
  const { bookid, userid, kind, reason, title, author } = subject
  return {
    ...subject,
    title: title ? textInWords(title, titleLengthMax) : null,
    author: author ? textInWords(author, titleLengthMax) : null,
    reason: reason && kind === 'delivery-failed' ? withoutLinks(reason) : reason,
    bookid: bookid && bookInWords(bookid, subject),
    userid: userid && withoutNumbers(userid),
  }
}

function bookInWords(bookid: string, { kind, userid, reason }: Subject): string | null {
  if (reason === 'UnknownBook') return userid === null ? withoutNumbers(bookid) : null
  // A failed delivery does not record whether stock had the book.
  return kind === 'delivery-failed' ? withoutNumbers(bookid) : plain(bookid)
}

/** A dot before a letter or digit, and the characters that IDNA or East Asian input methods treat alike. */
const dots = /[.\u2024\u3002\ufe52\uff0e\uff61](?=[\p{L}\p{M}\p{N}])/gu
/** The same before two of them. No top-level domain has one letter. */
const dotsOfNames = /[.\u2024\u3002\ufe52\uff0e\uff61](?=[\p{L}\p{M}\p{N}]{2})/gu
/** Two slashes, an at sign, and the characters treated alike. */
const slashesAndAts = /(?:[:\ufe55\uff1a]?[/\\\uff0f\u2044\u2215]){2,}|[@\ufe6b\uff20]/gu
/** Status codes of mail servers, as in `550 5.1.1`, are harmless. */
const codes = /^\d\.\d{1,3}\.\d{1,3}$/

const withoutLinks = (text: string) =>
  text
    .split(' ')
    .map((word) => (codes.test(word) ? word : word.replaceAll(dots, '·').replaceAll(slashesAndAts, '·')))
    .join(' ')

/** Control characters, and line and paragraph separators. */
const breaks = /[\p{Cc}\p{Zl}\p{Zp}\s]+/gu
/** Except the joiners that emoji and some scripts need. */
const invisible = /[^\P{Cf}\u200c\u200d]/gu
const markup = /[<>[\]{}|`\\*_~]|#(?=\p{L})/gu
/** Characters that look alike, or are used alike. */
const harmless: Record<string, string> = {
  '<': '〈',
  '>': '〉',
  '[': '(',
  ']': ')',
  '{': '(',
  '}': ')',
  '`': "'",
  '~': '∼',
}
/** As in `2.0` and `3.12판`. */
const decimal = /^[^.]*\d\.\d+[^.\d]*$/
const fourNumbers = /\d\.\d+\.\d+\.\d/
/** As in `tel:`, but not in `2:1`. */
const scheme = /(?<=\p{L}):(?=\S)/gu

export const noteInWords = (note: string): string | null => textInWords(note, noteLengthMax)

function textInWords(text: string, lengthMax: number): string | null {
  const words = text
    .normalize('NFC')
    .replaceAll(invisible, '')
    .replaceAll(slashesAndAts, '·')
    .replaceAll(markup, (it) => harmless[it] ?? '·')
    .replaceAll(scheme, ': ')
    .replaceAll(breaks, ' ')
    .trim()
    .split(' ')
  return cut(words.map(withoutNames).join(' '), lengthMax) || null
}

function withoutNames(word: string): string {
  if (decimal.test(word)) return word
  return word.replaceAll(fourNumbers.test(word) ? dots : dotsOfNames, '·')
}

function plain(id: string): string {
  const shown = id.length > idLengthMax ? `${id.slice(0, idLengthMax)}…` : id
  return shown.replaceAll(/[^\w…-]+/g, '·')
}

const uuid = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i

/** Seven digits or more, with or without separators. */
const numbers = /\d(?:[-_·]*\d){6,}/g

function withoutNumbers(id: string): string {
  if (uuid.test(id)) return id
  return plain(id).replaceAll(numbers, (number) =>
    isIsbn(id) ? number : `${number.slice(0, 2)}…${number.slice(-2)}`,
  )
}

/** Verified by its check digit. */
function isIsbn(id: string): boolean {
  const digits = id.replaceAll('-', '')
  if (/^97[89]\d{10}$/.test(digits))
    return [...digits].reduce((sum, it, i) => sum + Number(it) * (i % 2 === 0 ? 1 : 3), 0) % 10 === 0
  if (!/^\d{9}[\dX]$/.test(digits)) return false
  return [...digits].reduce((sum, it, i) => sum + (it === 'X' ? 10 : Number(it)) * (10 - i), 0) % 11 === 0
}
