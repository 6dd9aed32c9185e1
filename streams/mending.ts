/**
 * The owner of an event stream notes when it fills the stream again: up to which sequence the stream was known to be the
 * log's, and with which it ended. A consumer that has read beyond the first may have handled events that were never logged.
 */

export type Mending = {
  /** Unique. */
  id: string
  soundUpTo: number
  filledUpTo: number
}

/** Beside the stream, in the same slot of a cluster. */
export const mendingKey = (streamKey: string): string => `${streamKey}:mended`

export const toText = ({ id, soundUpTo, filledUpTo }: Mending): string => `${soundUpTo} ${filledUpTo} ${id}`

/** @returns undefined if the text is not a note. */
export function fromText(text: string): Mending | undefined {
  const [, soundUpTo, filledUpTo, id] = text.match(/^(\d{1,15}) (\d{1,15}) (\S+)$/) ?? []
  return id ? { id, soundUpTo: Number(soundUpTo), filledUpTo: Number(filledUpTo) } : undefined
}

/**
 * @param sequence up to which the consumer has committed.
 * @param seen the id of the last refill that it knows of; undefined if it has just started.
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
