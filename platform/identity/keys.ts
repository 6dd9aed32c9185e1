/**
 * The public keys of an issuer (JWKS), read when a token names a key that is not known.
 *
 * KR1. Known keys are read again in the background, and kept while their host is down or slow. Only if no token came for so long
 *      that they are older than `keptMs`, the next one waits for a read, at most `readMaxMs`.
 * KR2. A token of an unknown key waits for one read, at most `readMaxMs`. After a failed read others are refused at once, for
 *      `restMs`.
 * KR3. A key that its issuer has removed is forgotten within `keptMs`, unless its host is down.
 * KR4. A process that knows no keys uses those that its service has kept (`KeyStore`), as long as their host is down. So a service
 *      starts without its issuer.
 * KR5. An answer is read up to `keysBytesMax` and for `readMaxMs`. An answer without keys counts as none.
 */
import { readFile } from 'node:fs/promises'
import { createLocalJWKSet, createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose'
import { readWithin } from '../http/answer.ts'
import { Unavailable } from '../http/problem.ts'
import type { KeyStore } from './key-store.ts'

/** Leaves time for the answer: a dependency that is down is a 503 within 2 s. */
const readMaxMs = 1_000
const restMs = 1_000
const refreshMs = 4 * 60 * 1_000
export const keptMs = 5 * 60 * 1_000
/** Between two reads for tokens of unknown keys, because a stranger can send any number of those. */
const unknownEveryMs = 1_000
/** A key has about 500 bytes. */
const keysBytesMax = 256 * 1_024

/** `read` reads them before the first token comes, and never rejects. */
export type Keys = JWTVerifyGetKey & { read?(): Promise<void> }

type Fetch = (url: string, options: RequestInit) => Promise<Response>

export type KeysLog = { warn(facts: object, message: string): void }

type KeysOptions = {
  fetching?: Fetch
  /** Absent without a database. */
  store?: KeyStore | undefined
  log?: KeysLog | undefined
  now?(): number
}

/** @throws {Unavailable} when the keys cannot be read. Every other error is a fault of the token. */
export function keysAt(
  url: string,
  { fetching = fetchAny, store, log, now = () => performance.now() }: KeysOptions = {},
): Keys {
  let restUntil = 0
  /** When they were read last. A failed attempt sets it so that the next is due after `restMs`. */
  let readAt = now()
  let reading: Promise<void> | undefined
  const failed = () => {
    readAt = now() - refreshMs + restMs
  }
  const keys = createRemoteJWKSet(new URL(url), {
    timeoutDuration: readMaxMs,
    cooldownDuration: unknownEveryMs,
    cacheMaxAge: Number.POSITIVE_INFINITY,
    [customFetch]: async (_, options) => {
      if (now() < restUntil) throw new Error('the last attempt has just failed')
      readAt = now()
      // At the same time, because both together must not take longer than one.
      const kept = keys.jwks() ? undefined : store?.find(url).catch(() => undefined)
      try {
        const jwks = await readFrom(url, fetching, options)
        // They are valid, whether or not they can be kept.
        void store?.keep(url, jwks).catch(() => {})
        return new Response(jwks)
      } catch (error) {
        restUntil = now() + restMs
        failed()
        const known = await Promise.race([kept, aborted(options.signal)])
        if (known === undefined) throw error
        log?.warn({ url, err: error }, 'cannot read the keys of the issuer, uses those that were read last')
        return new Response(known)
      }
    },
  })
  const readAgain = async () => {
    await keys.reload().catch(failed)
    reading = undefined
  }
  const keyOf: JWTVerifyGetKey = async (header, token) => {
    const ageMs = now() - readAt
    if (keys.jwks() && ageMs >= keptMs) reading ??= readAgain()
    else if (keys.jwks() && ageMs >= refreshMs) void keys.reload().catch(failed)
    if (reading) await reading
    try {
      return await keys(header, token)
    } catch (error) {
      if (isFaultOfToken(error)) throw error
      throw new Unavailable("The issuer's keys cannot be read.", { cause: error })
    }
  }
  return Object.assign(keyOf, { read: () => keys.reload().catch(failed) })
}

const aborted = (signal: AbortSignal) =>
  new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined)
    else signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })

async function readFrom(url: string, fetching: Fetch, options: RequestInit): Promise<string> {
  const response = await fetching(url, options)
  if (response.status !== 200) throw new Error(`the answer has the status ${response.status}`)
  const text = new TextDecoder().decode(await readWithin(keysBytesMax, response))
  // Throws unless it is a set of keys.
  createLocalJWKSet(JSON.parse(text))
  return text
}

const isFaultOfToken = (error: unknown) =>
  error instanceof errors.JWKSNoMatchingKey ||
  error instanceof errors.JWKSMultipleMatchingKeys ||
  error instanceof errors.JOSENotSupported

const fetchAny: Fetch = async (url, options) =>
  url.startsWith('file:') ? new Response(await readFile(new URL(url))) : await fetch(url, options)
