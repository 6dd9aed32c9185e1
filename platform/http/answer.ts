/** Answers of other parties, such as OpenID providers, which may be of any length. */

/**
 * Reads an answer until its end. How long that may take is up to the signal of its call.
 * @param bytesMax a longer answer is not read further.
 * @throws {Error} when it is longer.
 */
export async function readWithin(bytesMax: number, { body }: Response): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  // Leaving the loop cancels the rest.
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength
    if (bytes > bytesMax) throw new Error(`The answer has more than ${bytesMax} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
