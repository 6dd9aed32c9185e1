/** Cuts text to what a receiver takes. */

export type Cutting = {
  /** What a character becomes on the wire, before it is weighed. */
  encode?(character: string): string
  /** How much an encoded character counts. Absent: its UTF-16 code units. */
  weigh?(encoded: string): number
}

const ellipsis = '…'
const asIs = (character: string) => character
const length = (text: string) => text.length

/** @returns the text, encoded. What is too long ends in an ellipsis; no character and no escape of one is ever cut in two. */
export function cut(text: string, max: number, { encode = asIs, weigh = length }: Cutting = {}): string {
  const limit = max - weigh(ellipsis)
  let taken = ''
  let weight = 0
  let kept = 0
  for (const character of text) {
    const encoded = encode(character)
    weight += weigh(encoded)
    if (weight > max) return taken.slice(0, kept) + ellipsis
    taken += encoded
    if (weight <= limit) kept = taken.length
  }
  return taken
}
