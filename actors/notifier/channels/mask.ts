/**
 * Hides people's addresses in what goes to logs and to operators. Enough is left to tell one from another:
 * `r***@example.com`, `010****5678`.
 */

export function maskText(text: string): string {
  return text.replace(emails, '$1***@$2').replace(phones, maskPhone)
}

/** What stands before and after is looked at, so that a UUID or a number of a book is never taken for a phone's. */
const emails = /([\p{L}\p{N}])[\p{L}\p{N}.!#$%&'*+/=?^_`{|}~-]*@((?:[\p{L}\p{N}-]+\.)+[\p{L}]{2,})/gu
const phones = /(?<![\w.+-])(?:\+[1-9]\d{7,14}|01[016789]-?\d{3,4}-?\d{4})(?![\w-])/g

/** Three digits in front and four behind. A number in a line of JSON stays as it is: only the digits change. */
function maskPhone(phone: string): string {
  const kept = phone.replace(/(?<=^\+?\d{3}.*)\d(?=(?:-?\d){4})/g, '*')
  return kept
}

/** What a receiver said, for people to see: one line of it, without addresses. */
export function shown(said: string): string {
  const line = said.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ').trim()
  return maskText(line.replaceAll(/\b[a-z][a-z0-9+.-]*:\/\/\S+/gi, '[URL]')).slice(0, shownMax)
}
const shownMax = 200
