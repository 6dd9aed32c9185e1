/** All error responses of the HTTP APIs, as RFC 9457 problem details. */
import { z } from '@hono/zod-openapi'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { DeadlineError, deadline } from '../../streams/deadline.ts'
import { jsonHeaders } from './reply.ts'

/** Every problem a client can meet. The slug is stable: `type` in the answer is `/problems/{slug}`. */
export const problems = {
  'invalid-input': [400, 'Invalid request', 'The `errors` list names each invalid field or parameter.'],
  'malformed-json': [400, 'The body is not valid JSON', 'Send one JSON value, encoded as UTF-8.'],
  unauthorized: [
    401,
    'Authentication required',
    'Send `Authorization: Bearer` with a token that is valid here.',
  ],
  forbidden: [
    403,
    'Not allowed',
    'The token is valid, but its holder may not do this. See the table in docs/security.md.',
  ],
  'not-found': [404, 'Not found', 'Check the path and the id in it.'],
  'method-not-allowed': [405, 'Method not allowed', 'The `Allow` header lists the allowed methods.'],
  conflict: [409, 'Conflict with the current state', 'Read the resource again, then decide.'],
  'not-cancelable': [
    409,
    'The reservation cannot be canceled',
    'A reservation that failed or expired holds no copy, so there is nothing to give back. A copy that was handed over is returned instead.',
  ],
  'still-active': [
    409,
    'The customer still has reservations or copies',
    'The member `reservations` names them. Cancel the reservations, and bring the copies back. A cancellation counts until stock has confirmed it.',
  ],
  'not-held': [
    409,
    'No copy is held for the reservation',
    'The member `hold` has the present state: the reservation waits, has ended, or has its copy.',
  ],
  'not-on-shelf': [
    409,
    'The copy is not on the hold shelf',
    'Its deadline begins when it is put there. Send `{"status": "Ready"}` first.',
  ],
  'not-out': [409, 'The customer does not have the copy', 'The member `hold` has the present state.'],
  'not-lent': [
    409,
    'Copies of this book are not lent',
    'By the rules of the book, what is handed over does not come back.',
  ],
  'other-customer': [
    409,
    'The copy is held for another customer',
    'The member `hold` names the customer. Do not hand the copy to anyone else.',
  ],
  'customer-blocked': [
    409,
    'The customer is blocked',
    'Once the block ends, copies can be handed over within moments. The reservation service has the end of the block.',
  ],
  'copies-held': [
    409,
    'Too few copies are available',
    'The member `available` has their number. Withdraw fewer, or also those that are held: `evenHeld`.',
  ],
  'nothing-requested': [409, 'No purchase is requested', 'The request was closed before.'],
  'limits-off': [
    409,
    'Reservations are not limited',
    'Blocks need a limit of reservations per customer: start the service with `ACTIVE_MAX`.',
  ],
  'not-redrivable': [
    409,
    'The dead letter cannot be redriven',
    'Its content could not be kept, so there is nothing to handle again; the detail has the reason. Drop it.',
  ],
  'body-too-large': [413, 'The body is too large', 'A body holds at most 65,536 bytes.'],
  'headers-too-large': [
    431,
    'The headers are too large',
    'Request line and headers together hold at most 16 KiB.',
  ],
  'request-too-slow': [
    408,
    'The request arrived too slowly',
    'Send the headers within 10 s and the whole request within 30 s.',
  ],
  'unsupported-media-type': [
    415,
    'The body must be JSON',
    'Send `Content-Type: application/json`, in UTF-8 and without a `Content-Encoding`.',
  ],
  'idempotency-key-reused': [
    422,
    'The idempotency key belongs to another request',
    'A key names one request: repeat it with the same payload, or choose a new key.',
  ],
  'too-many-requests': [
    429,
    'Too many requests',
    'Wait `Retry-After` seconds. Each customer, and each address without a token, has a number of requests per minute.',
  ],
  internal: [500, 'Internal error', 'The error is logged. You can repeat the request.'],
  unavailable: [
    503,
    'Service temporarily unavailable',
    'Repeat the request after `Retry-After` seconds, a POST with the same `Idempotency-Key`.',
  ],
  'not-ready': [503, 'The service is not ready', 'Its database is not responding, or it is stopping.'],
  'loop-hung': [503, 'A loop of the service hangs', 'Restart the process.'],
} as const satisfies Record<string, readonly [ContentfulStatusCode, string, string]>
export type ProblemSlug = keyof typeof problems

/** One fault of the input: in the body (as JSON pointer), or in a query, header or path parameter. */
export type Fault = { pointer: string; detail: string } | { parameter: string; detail: string }

type ProblemOptions = {
  /** The fault of this request. Shown to the client. */
  detail?: string
  headers?: Record<string, string>
  errors?: Fault[]
  /** Further members of the response. */
  extensions?: Record<string, unknown>
  cause?: unknown
}

/** Thrown by a handler to answer with a problem. */
export class Problem extends Error {
  override name = 'Problem'
  readonly slug: ProblemSlug
  readonly status: ContentfulStatusCode
  readonly title: string
  readonly detail: string | undefined
  readonly headers: Record<string, string>
  readonly errors: Fault[] | undefined
  readonly extensions: Record<string, unknown>

  constructor(slug: ProblemSlug, options: ProblemOptions = {}) {
    const [status, title] = problems[slug]
    super(options.detail ?? title, { cause: options.cause })
    this.slug = slug
    this.status = status
    this.title = title
    this.detail = options.detail
    // Every 503 says when to retry.
    this.headers = { ...(status === 503 ? { 'retry-after': '1' } : {}), ...options.headers }
    this.errors = options.errors
    this.extensions = options.extensions ?? {}
  }

  /** @param publicUrl that of the service; without it the type is relative to the URL of the request. */
  toResponse(publicUrl = ''): Response {
    const body = {
      type: `${publicUrl}/problems/${this.slug}`,
      title: this.title,
      status: this.status,
      detail: this.detail,
      errors: this.errors,
      ...this.extensions,
    }
    const headers = { ...jsonHeaders, ...this.headers, 'content-type': 'application/problem+json' }
    return new Response(JSON.stringify(body), { status: this.status, headers })
  }
}

/** A dependency is not responding: 503 with `Retry-After`. */
export class Unavailable extends Problem {
  override name = 'Unavailable'
  constructor(detail: string, { retryAfterS = 1, cause }: { retryAfterS?: number; cause?: unknown } = {}) {
    super('unavailable', { detail, cause, headers: { 'retry-after': String(retryAfterS) } })
  }

  /** For a request that may have had its effect: repeating it with the same key is safe. */
  toRepeatWith(key: string): Unavailable {
    const advice = `Repeat the request with the header Idempotency-Key: ${key}`
    return new Unavailable(`${this.detail} ${advice}`, {
      retryAfterS: Number(this.headers['retry-after']),
      cause: this.cause,
    })
  }
}

/**
 * Waits for `promise`, for at most `limitMs`.
 * @throws {Unavailable} when the time is up. The work goes on, and its outcome is ignored.
 */
export async function within<T>(limitMs: number, action: string, promise: Promise<T>): Promise<T> {
  try {
    return await deadline(limitMs, action, promise)
  } catch (error) {
    throw error instanceof DeadlineError ? new Unavailable(error.message, { cause: error }) : error
  }
}

export const problemSchema = z
  .object({
    type: z.string().openapi({ example: '/problems/not-found' }),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string().optional(),
    errors: z
      .array(
        z.object({
          pointer: z
            .string()
            .optional()
            .openapi({ description: 'JSON pointer into the body', example: '/qty' }),
          parameter: z.string().optional().openapi({ description: 'name of a parameter', example: 'limit' }),
          detail: z.string(),
        }),
      )
      .optional(),
  })
  .openapi('Problem')

type ProblemStatus = (typeof problems)[ProblemSlug][0]
type ProblemResponse = {
  description: string
  content: { 'application/problem+json': { schema: typeof problemSchema } }
}

/** @returns the `responses` of a route for these statuses. The app adds those that any route can have (400, 500, 503). */
export function problemResponses<const Status extends ProblemStatus>(
  ...statuses: Status[]
): Record<Status, ProblemResponse> {
  const entries = statuses.map((status) => [status, { description: titlesOf(status), content }] as const)
  return Object.fromEntries(entries) as Record<Status, ProblemResponse>
}
const content = { 'application/problem+json': { schema: problemSchema } }

const titlesOf = (status: ProblemStatus): string =>
  Object.values(problems)
    .filter(([its]) => its === status)
    .map(([, title]) => title)
    .join(', or: ')

/** The page that `type` links to. */
export function explain(slug: string): string | undefined {
  if (!Object.hasOwn(problems, slug)) return undefined
  const [status, title, advice] = problems[slug as ProblemSlug]
  return `${title} (${status} ${slug})\n\n${advice}\n`
}
