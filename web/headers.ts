/** The headers of every answer, and the check that a form was sent from one of these pages. */
import type { Context } from 'hono'
import { secureHeaders } from 'hono/secure-headers'
import { incomingOf } from '../platform/http/node.ts'

/**
 * @param secure whether people reach the pages over https alone.
 * @param issuer of logins: a form may lead there, because logging out does.
 */
export const pageHeaders = (secure: boolean, issuer?: string) =>
  secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'"],
      styleSrc: ["'self'"],
      imgSrc: ["'self'", 'data:'],
      connectSrc: ["'self'"],
      formAction: ["'self'", ...(issuer === undefined ? [] : [new URL(issuer).origin])],
      baseUri: ["'none'"],
      frameAncestors: ["'none'"],
    },
    referrerPolicy: 'same-origin',
    strictTransportSecurity: secure,
    xFrameOptions: 'DENY',
  })

/**
 * Whether a form comes from one of these pages, if the browser does not say so itself: it sends `Sec-Fetch-Site` only over https and to
 * this machine.
 */
export function isOwnOrigin(c: Context, origin: string, publicUrl: string | undefined): boolean {
  if (publicUrl !== undefined) return origin === new URL(publicUrl).origin
  const host = hostOf(c)
  return host !== undefined && (origin === `http://${host}` || origin === `https://${host}`)
}

/** The Host header. On Node the server replaces it by a valid one, and keeps what was sent. */
function hostOf(c: Context): string | undefined {
  const sent = incomingOf(c)?.rawHeaders
  if (!sent) return c.req.header('host')
  const at = sent.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === 'host')
  return at < 0 ? undefined : sent[at + 1]
}
