/**
 * What the owner of an event stream notes when it fills the stream again: up to which sequence it knows that the stream was
 * the log's, and with which it ended. A consumer that has read beyond the first may have taken in what was never logged.
 */

export type Mending = {
  /** Tells one mending from another. */
  id: string
  soundUpTo: number
  filledUpTo: number
}

/** Beside the stream, in the same slot of a cluster. */
export const mendingKey = (streamKey: string): string => `${streamKey}:mended`

export const toText = ({ id, soundUpTo, filledUpTo }: Mending): string => `${soundUpTo} ${filledUpTo} ${id}`

/** @returns undefined for what is no such note. */
export function fromText(text: string): Mending | undefined {
  const [, soundUpTo, filledUpTo, id] = text.match(/^(\d{1,15}) (\d{1,15}) (\S+)$/) ?? []
  return id ? { id, soundUpTo: Number(soundUpTo), filledUpTo: Number(filledUpTo) } : undefined
}

/**
 * @param sequence up to which the consumer has committed.
 * @param seen the id of the last mending that it knows of; undefined when it knows of none, since it has just begun.
 * @returns the sequence to go back to, if any.
 */
export function backTo(
  mending: Mending | undefined,
  sequence: number,
  seen: string | undefined,
): number | undefined {
  if (!mending || mending.id === seen || sequence <= mending.soundUpTo) return undefined
  return seen !== undefined || sequence <= mending.filledUpTo ? mending.soundUpTo : undefined
}
