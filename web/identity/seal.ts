/** Encrypts what cookies contain (JWE, A256GCM), so that browsers can neither read nor change it. */
import { EncryptJWT, errors, type JWTPayload, jwtDecrypt } from 'jose'

/** A cookie of one purpose is none of another. */
export type Purpose = 'session' | 'login'

type Opened<Payload> = { type: 'valid'; payload: Payload } | { type: 'expired' } | { type: 'none' }

const alg = 'dir'
const enc = 'A256GCM'
/** Browsers keep no cookie that is longer with its name. */
export const sealedMax = 3_900

export class Seal {
  readonly #keys: readonly Uint8Array[]

  /** @param keys the first one encrypts, all decrypt. Each has 32 bytes. */
  constructor(keys: readonly Uint8Array[]) {
    this.#keys = keys
  }

  /** @param expiresAt seconds since 1970. */
  close(purpose: Purpose, payload: object, expiresAt: number): Promise<string> {
    return new EncryptJWT(payload as JWTPayload)
      .setProtectedHeader({ alg, enc })
      .setAudience(purpose)
      .setExpirationTime(expiresAt)
      .encrypt(this.#keys[0]!)
  }

  async open(purpose: Purpose, sealed: string, now: Date): Promise<Opened<unknown>> {
    if (sealed.length > sealedMax) return { type: 'none' }
    for (const key of this.#keys) {
      try {
        const options = {
          audience: purpose,
          currentDate: now,
          requiredClaims: ['exp'],
          keyManagementAlgorithms: [alg],
          contentEncryptionAlgorithms: [enc],
        }
        const { payload } = await jwtDecrypt(sealed, key, options)
        return { type: 'valid', payload }
      } catch (error) {
        if (error instanceof errors.JWTExpired) return { type: 'expired' }
        // Perhaps of another key.
        if (error instanceof errors.JWEDecryptionFailed) continue
        if (error instanceof errors.JOSEError) return { type: 'none' }
        throw error
      }
    }
    return { type: 'none' }
  }
}
