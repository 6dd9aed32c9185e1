/** Lets pages of other origins call a service, when `CORS_ORIGINS` lists them. */
import type { MiddlewareHandler } from 'hono'
import { cors } from 'hono/cors'

/** How long a browser may remember the answer to a preflight. Chromium's own limit. */
const preflightMaxAgeS = 7_200

export const corsFor = (origins: string[]): MiddlewareHandler =>
  cors({
    origin: origins,
    allowMethods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    allowHeaders: [
      'Authorization',
      'Content-Type',
      'Idempotency-Key',
      'If-None-Match',
      'Last-Event-ID',
      'Prefer',
      'traceparent',
      'tracestate',
    ],
    exposeHeaders: ['Allow', 'ETag', 'Location', 'Preference-Applied', 'Retry-After', 'WWW-Authenticate'],
    maxAge: preflightMaxAgeS,
  })
