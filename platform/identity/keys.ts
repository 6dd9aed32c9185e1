/**
 * The public keys of an issuer (JWKS), read when a token names a key that is not known.
 *
 * KR1. Known keys never wait: they are read again in the background, and kept while their host is down or slow.
 * KR2. A token of an unknown key waits for one read, at most `readMaxMs`. After a failed read others are refused at once, for
 *      `restMs`.
 * KR3. A key that its issuer has removed is forgotten within `refreshMs`, unless its host is down.
 */
import { readFile } from 'node:fs/promises'
import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose'
import { Unavailable } from '../http/problem.ts'

/** Leaves time for the answer: a dependency that is down is a 503 within 2 s. */
const readMaxMs = 1_000
const restMs = 1_000
const refreshMs = 10 * 60 * 1_000
/** Between two reads for tokens of unknown keys, because a stranger can send any number of those. */
const unknownEveryMs = 1_000

type Fetch = (url: string, options: RequestInit) => Promise<Response>

/** @throws {Unavailable} when the keys cannot be read. Every other error is a fault of the token. */
export function keysAt(
  url: string,
  fetching: Fetch = fetchAny,
  now = () => performance.now(),
): JWTVerifyGetKey {
  let restUntil = 0
  let refreshAt = now() + refreshMs
  const keys = createRemoteJWKSet(new URL(url), {
    timeoutDuration: readMaxMs,
    cooldownDuration: unknownEveryMs,
    cacheMaxAge: Number.POSITIVE_INFINITY,
    [customFetch]: async (url, options) => {
      if (now() < restUntil) throw new Error('the last attempt has just failed')
      try {
        const response = await fetching(url, options)
        if (response.status !== 200) throw new Error(`the answer has the status ${response.status}`)
        return response
      } catch (error) {
        restUntil = now() + restMs
        throw error
      }
    },
  })
  return async (header, token) => {
    if (keys.jwks() && now() >= refreshAt) {
      refreshAt = now() + refreshMs
      keys.reload().catch(() => {
        refreshAt = now() + restMs
      })
    }
    try {
      return await keys(header, token)
    } catch (error) {
      if (isFaultOfToken(error)) throw error
      throw new Unavailable("The issuer's keys cannot be read.", { cause: error })
    }
  }
}

const isFaultOfToken = (error: unknown) =>
  error instanceof errors.JWKSNoMatchingKey ||
  error instanceof errors.JWKSMultipleMatchingKeys ||
  error instanceof errors.JOSENotSupported

const fetchAny: Fetch = async (url, options) =>
  url.startsWith('file:') ? new Response(await readFile(new URL(url))) : await fetch(url, options)
