/** Maps a key to the stream that carries its messages. Any language can compute it, so any producer finds the stream. */

/**
 * 32-bit FNV-1a of the key's UTF-8 bytes.
 * Source: http://www.isthe.com/chongo/tech/comp/fnv/ (test vectors in partition.test.ts)
 */
export function fnv1a32(key: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) {
    const code = key.charCodeAt(i)
    // Outside ASCII a character is several bytes.
    if (code > 0x7f) return ofBytes(encoder.encode(key))
    hash = Math.imul(hash ^ code, 0x01000193)
  }
  return hash >>> 0
}

function ofBytes(bytes: Uint8Array): number {
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}
const encoder = new TextEncoder()

/** @returns the partition of `key`, from 0 to `partitions` - 1. */
export const partitionOf = (key: string, partitions: number): number => fnv1a32(key) % partitions

/** A family of streams, one per partition. */
export type Topic = {
  /** The service whose workers lease the partitions. */
  owner: string
  /** `mailbox` or `events`. */
  name: string
  /** The services whose groups read them. */
  consumers: readonly string[]
}

/**
 * @returns the stream's key. All keys of one owner's partition share a hash tag, and so a Redis Cluster slot:
 * `{br:stock-7}:mailbox` and `{br:stock-7}:events`.
 */
export const streamKey = (prefix: string, topic: Topic, partition: number): string =>
  `{${prefix}:${topic.owner}-${partition}}:${topic.name}`
