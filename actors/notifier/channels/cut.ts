/** Cuts text to the length that a receiver accepts. */

export type Cutting = {
  /** Encodes a character for the wire, before it is weighed. */
  encode?(character: string): string
  /** The length of an encoded character. Default: its UTF-16 code units. */
  weigh?(encoded: string): number
}

const ellipsis = '…'
const asIs = (character: string) => character
const length = (text: string) => text.length

/** @returns the text, encoded. A longer text ends in an ellipsis. No character or escape sequence is cut in two. */
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
