/**
 * How many requests a customer, or an address without a token, may send in a minute. Each process counts for itself. So a flood
 * costs its sender, and no other person.
 */
import { isIPv6 } from 'node:net'
import type { Context } from 'hono'
import { TokenBucket } from 'limiter'
import { Problem } from '../http/problem.ts'

export const writesPerMinute = 30
export const readsPerMinute = 300
/** About 300 bytes each. The entry that was used least recently is dropped first; its count starts over. */
export const personsMax = 10_000

export type Kind = 'reads' | 'writes'
export const kindOf = ({ req: { method } }: Context): Kind =>
  method === 'GET' || method === 'HEAD' ? 'reads' : 'writes'

type Buckets = { reads: TokenBucket | undefined; writes: TokenBucket | undefined }

export class PersonLimits {
  readonly #persons = new Map<string, Buckets>()

  /** How many are remembered. */
  get size(): number {
    return this.#persons.size
  }

  /** @returns whether this person's next request is one too many. */
  isReached(person: string, kind: Kind): boolean {
    const bucket = this.#persons.get(person)?.[kind]
    bucket?.drip()
    return bucket !== undefined && bucket.content < 1
  }

  /** @throws {Problem} 429 when this person has sent too many requests. */
  take(person: string, kind: Kind): void {
    const buckets = this.#bucketsOf(person)
    buckets[kind] ??= bucketOf(kind === 'reads' ? readsPerMinute : writesPerMinute)
    const bucket = buckets[kind]
    if (bucket.tryRemoveTokens(1)) return
    const seconds = Math.max(1, Math.ceil(bucket.getWaitTime(1) / 1_000))
    throw new Problem('too-many-requests', {
      detail: `At most ${bucket.bucketSize} ${kind} a minute are answered.`,
      headers: { 'retry-after': String(seconds) },
    })
  }

  #bucketsOf(person: string): Buckets {
    const known = this.#persons.get(person)
    if (known) this.#persons.delete(person)
    const buckets = known ?? { reads: undefined, writes: undefined }
    this.#persons.set(person, buckets)
    if (this.#persons.size > personsMax) {
      const [oldest] = this.#persons.keys()
      this.#persons.delete(oldest!)
    }
    return buckets
  }
}

function bucketOf(perMinute: number): TokenBucket {
  const bucket = new TokenBucket({ bucketSize: perMinute, tokensPerInterval: perMinute, interval: 'minute' })
  bucket.content = perMinute
  return bucket
}

/** @returns the part of an address that belongs to one household: of IPv6, the first 64 bits. */
export function householdOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '')
  if (!isIPv6(plain)) return plain
  const [head = '', tail] = plain.split('::')
  const first = head === '' ? [] : head.split(':')
  const last = tail === undefined || tail === '' ? [] : tail.split(':')
  const groups =
    tail === undefined ? first : [...first, ...Array(8 - first.length - last.length).fill('0'), ...last]
  return groups.slice(0, 4).join(':')
}

/** Of IPv6 with a scope. With more hops than there are proxies, a client may send any text. */
const addressLengthMax = 64

/** @returns the household of the client, by the address that the proxies in front have seen. */
export const clientOf = (forwardedFor: string | undefined, hops: number, peer: string): string =>
  householdOf(forwardedAddress(forwardedFor, hops, peer))

/**
 * @param hops how many proxies in front add an address to `X-Forwarded-For`. An address before those was sent by the client,
 *   and may be anything.
 * @param peer the address that the connection came from.
 */
export function forwardedAddress(forwardedFor: string | undefined, hops: number, peer: string): string {
  const given = hops === 0 ? undefined : forwardedFor?.split(',').at(-hops)?.trim()
  return (given || peer).slice(0, addressLengthMax)
}
