/** Cuts text to the length that a receiver accepts. */

type Cutting = {
  /** Encodes a code point for the wire, before it is weighed. */
  encode?(character: string): string
  /** The length of encoded text. Default: its UTF-16 code units. */
  weigh?(encoded: string): number
}

const ellipsis = '…'
const asIs = (character: string) => character
const length = (text: string) => text.length
const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

/** @returns the text, encoded. A longer text ends in an ellipsis. No escape sequence is cut, and no character of several code points. */
export function cut(text: string, max: number, { encode = asIs, weigh = length }: Cutting = {}): string {
  const limit = max - weigh(ellipsis)
  let taken = ''
  let weight = 0
  let kept = 0
  for (const { segment } of graphemes.segment(text)) {
    const encoded = Array.from(segment, encode).join('')
    weight += weigh(encoded)
    if (weight > max) return taken.slice(0, kept) + ellipsis
    taken += encoded
    if (weight <= limit) kept = taken.length
  }
  return taken
}
