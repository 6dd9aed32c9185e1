/**
 * Signs calls to webhooks, so that a receiver can verify that they are ours and new.
 * Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 *
 * A secret is `whsec_` and base64 of 24 to 64 bytes. A customer's secret derives from ours, as HMAC-SHA256 over
 * `webhook/USERID`, so customers cannot sign for each other's webhooks.
 */
import { createHmac } from 'node:crypto'
import { z } from 'zod'

const prefix = 'whsec_'

/** Base64 of 24 to 64 bytes. */
const secret = z
  .string()
  .regex(/^whsec_[A-Za-z0-9+/]{32,88}={0,2}$/, 'must be like whsec_… with base64 of 24 to 64 bytes')

export const signingSettings = {
  WEBHOOK_SECRETS: z
    .string()
    .transform((text) => text.split(/[\s,]+/))
    .pipe(z.array(secret))
    .optional()
    .describe('Keys that sign webhooks: `whsec_…`, newest first ([how](channels.md#webhooks))'),
}

const keyOf = (secret: string): Buffer => Buffer.from(secret.slice(prefix.length), 'base64')

/** @returns the customer's own secret. */
export const secretFor = (userid: string, secret: string): string =>
  prefix + createHmac('sha256', keyOf(secret)).update(`webhook/${userid}`).digest('base64')

/** Proves to the unsubscribe page that the request comes from a mail to that customer. */
export const unsubscribeToken = (userid: string, secret: string): string =>
  createHmac('sha256', keyOf(secret)).update(`unsubscribe/${userid}`).digest('base64url')

/**
 * @param secrets each of them signs, so that a receiver may know either during a rotation.
 * @param now time of this attempt, in milliseconds since the epoch.
 */
export function signatureHeaders(
  secrets: string[],
  id: string,
  body: string,
  now: number,
): Record<string, string> {
  const timestamp = String(Math.floor(now / 1_000))
  const signed = secrets.map(
    (secret) =>
      `v1,${createHmac('sha256', keyOf(secret)).update(`${id}.${timestamp}.${body}`).digest('base64')}`,
  )
  if (signed.length === 0) return { 'webhook-id': id }
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signed.join(' ') }
}
