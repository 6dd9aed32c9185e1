/**
 * The frame of every HTTP API: routes that validate their input, problem responses for all errors, metrics, docs.
 *
 * To Hono a route (`addRoute`) is one handler without middleware: `Exchange` in this file does admission (`guard.ts`), validation,
 * the time limit, metrics and errors. So a request costs little more than Hono itself.
 */
import { OpenAPIHono, type RouteHandler } from '@hono/zod-openapi'
import type { Context, Handler, Next } from 'hono'
import { routePath } from 'hono/route'
import { isTransient } from '../../streams/postgres.ts'
import type { Admit, Guard } from '../identity/guard.ts'
import type { Log } from '../log.ts'
import { type Metrics, memo, type Refusal, refusals } from '../metrics.ts'
import type { Span, Tracing } from '../tracing/tracing.ts'
import { withCommonProblems } from './common-problems.ts'
import { corsFor } from './cors.ts'
import { keyToRepeatWith } from './idempotency.ts'
import { type Validate, validatorOf } from './input.ts'
import { explain, Problem, type ProblemSlug, Unavailable } from './problem.ts'
import { safeHeaders } from './reply.ts'
import { endSpan, spanOf } from './request-span.ts'
import type { AppRoute } from './route.ts'
import { Router } from './router.ts'
import { TimeLimit, tooLate } from './time-limit.ts'
import { traceFacts, traceOf } from './trace.ts'

export type About = {
  service: string
  title: string
  /** Markdown, shown at the top of `/docs`. */
  description: string
  /** The URL of the service as clients see it, without a slash at its end. Makes the types of problems absolute. */
  publicUrl?: string | undefined
  /** Descriptions of the tags of its routes. */
  tags?: Record<string, string>
}

export type App = Omit<OpenAPIHono, 'openapi'> & {
  /** For its docs (`ops.ts`). */
  about: About
  /** Whether callers say who they are (`guard.ts`). */
  guarded: boolean
  /** Adds a route, which answers problems for all that its handler or its input gets wrong. */
  addRoute<Route extends AppRoute>(route: Route, handler: RouteHandler<Route>): void
}

export type AppOptions = About & {
  log: Log
  metrics: Metrics
  tracing?: Tracing | undefined
  /** Origins whose pages may call the API. */
  corsOrigins?: string[] | undefined
  /** Absent while identity is off. */
  guard?: Guard | undefined
}

export function createApp({ log, metrics, tracing, corsOrigins, guard, ...about }: AppOptions): App {
  const app = Object.assign(new OpenAPIHono({ router: new Router() }), {
    about,
    guarded: guard !== undefined,
    addRoute,
  })
  const answer = answerWith(log, metrics, about.publicUrl)
  const fixed = new FixedPaths()
  if (corsOrigins) app.use(corsFor(corsOrigins))

  function addRoute({ hide, middleware, access, ...route }: AppRoute, handler: Handler): void {
    if (middleware) throw new TypeError(`Cannot add ${route.path}: routes take no middleware`)
    const isProbe = route.tags?.includes('health') ?? false
    if (!hide)
      app.openAPIRegistry.registerPath(withCommonProblems(route, isProbe ? undefined : access, !guard))
    const observe = observerOf(metrics, route.method.toUpperCase(), route.path)
    const path = route.path.replaceAll(/\/{([^/}]{1,64})}/g, '/:$1')
    // Probes would flood the traces.
    const begin = tracing && !isProbe ? spanOf(tracing, route) : undefined
    // Supervisors have no token, and must not be refused.
    const admit = isProbe ? undefined : guard?.admitting(access)
    const validate = validatorOf(route.request)
    const isFixed = !path.includes('/:')
    if (isFixed) fixed.add(path, route.method)
    const misread = isFixed ? undefined : fixed
    app.on(route.method, path, handlerOf({ handler, admit, validate, misread, answer, observe, begin }))
  }

  const observerOfUnknown = memo((method: string) => observerOf(metrics, method, 'unknown'))
  app.notFound((c) => {
    const startedAt = performance.now()
    const response = answer(noRoute(app, c), c)
    observerOfUnknown(methodOf(c))(response.status, startedAt)
    return response
  })
  // Errors outside of `handlerOf`: of a middleware, such as one that checks a token.
  const observerOfFailure = memo((call: string) =>
    observerOf(metrics, ...(call.split(' ', 2) as [string, string])),
  )
  app.onError((error, c) => {
    const response = answer(error, c)
    observerOfFailure(`${methodOf(c)} ${routePath(c)}`)(response.status, performance.now())
    return response
  })
  app.get('/problems/:slug', (c) => {
    const text = explain(c.req.param('slug'))
    return text === undefined ? answer(new Problem('not-found'), c) : c.text(text, 200, safeHeaders)
  })
  return app
}

type Answer = (error: Error, c: Context) => Response
type Observe = (status: number, startedAt: number) => void

type Route = {
  handler: Handler
  admit: Admit | undefined
  validate: Validate | undefined
  /** Of a route with a parameter: paths that may be taken for its own. */
  misread: FixedPaths | undefined
  answer: Answer
  observe: Observe
  begin: ((c: Context) => Span) | undefined
}

const handlerOf =
  (route: Route): Handler =>
  (c, next) =>
    new Promise((resolve) => void new Exchange(route, c, resolve).run(next))

/** One request, until its handler answers or its time is up. */
class Exchange {
  readonly #route: Route
  readonly #c: Context
  readonly #resolve: (response: Response) => void
  readonly #startedAt = performance.now()
  readonly #span: Span | undefined
  #limit: TimeLimit | undefined

  constructor(route: Route, c: Context, resolve: (response: Response) => void) {
    this.#route = route
    this.#c = c
    this.#resolve = resolve
    this.#span = route.begin?.(c)
  }

  /** Never rejects. */
  async run(next: Next): Promise<void> {
    const { admit, validate, handler } = this.#route
    let response: Response
    try {
      const admitting = admit?.(this.#c)
      if (admitting) await admitting
      const validating = validate?.(this.#c)
      if (validating) await validating
      this.#limit = TimeLimit.begin(this.#c, this)
      response = (await handler(this.#c, next)) as Response
    } catch (error) {
      if (this.#limit?.expired) return
      // Only the validation of the input fails before the limit begins.
      const misread = this.#limit ? undefined : this.#route.misread?.problemOf(error, this.#c.req.path)
      response = this.#answerTo(misread ?? error)
    }
    if (this.#limit?.expired) return letGo(response)
    this.#limit?.end()
    this.#respond(response)
  }

  expire(): void {
    this.#respond(this.#answerTo(tooLate()))
  }

  #answerTo(error: unknown): Response {
    const { answer } = this.#route
    return answer(
      error instanceof Error ? error : new Error('Thrown value is not an Error', { cause: error }),
      this.#c,
    )
  }

  #respond(response: Response): void {
    this.#route.observe(response.status, this.#startedAt)
    if (this.#span) endSpan(this.#span, response.status)
    this.#resolve(response)
  }
}

/**
 * Paths without parameters. A path that another route takes for its own, such as `/dead-letters/redrive` for that of
 * the letter `redrive`, is known by the id that is not valid. Then the method is wrong, not the id.
 */
class FixedPaths {
  readonly #methods = new Map<string, string[]>()

  add(path: string, method: string): void {
    const known = this.#methods.get(path) ?? []
    this.#methods.set(path, [...known, method.toUpperCase()])
  }

  /** @returns the problem to answer instead of one with the input. */
  problemOf(error: unknown, path: string): Problem | undefined {
    const isOfInput = error instanceof Problem && [400, 413, 415].includes(error.status)
    const allowed = isOfInput ? this.#methods.get(path) : undefined
    return allowed && notAllowed(allowed)
  }
}

/** Cancels the body of a late answer, because a stream without a reader would never end. */
const letGo = (late: Response) => void late.body?.cancel().catch(() => {})

function answerWith(log: Log, metrics: Metrics, publicUrl: string | undefined): Answer {
  const refused = oncePerSecond((facts: object, times) => log.warn({ ...facts, times }, 'requests refused'))
  return (error, c) => {
    const problem = toProblem(error, c)
    if (isRefusal(problem.slug)) metrics.refusals(problem.slug).inc()
    if (problem.slug === 'internal') log.error({ ...factsOf(c), err: error }, 'request failed')
    else if (problem.status >= 500) refused({ ...factsOf(c), reason: reasonOf(problem) })
    return problem.toResponse(publicUrl)
  }
}

const isRefusal = (slug: ProblemSlug): slug is Refusal => refusals.some((it) => it === slug)

const factsOf = (c: Context) => ({ method: c.req.method, path: shownPath(c), ...traceFacts(traceOf(c)) })

/** Without the id of a customer. */
function shownPath(c: Context): string {
  const route = routePath(c)
  return route.includes(':userid') ? route : c.req.path
}
const reasonOf = ({ message, cause }: Problem) => (cause instanceof Error ? cause.message : message)

/** While a dependency is down, thousands of requests a second fail for one reason, which one line can log. */
function oncePerSecond<Facts>(log: (facts: Facts, times: number) => void): (facts: Facts) => void {
  let quietUntil = 0
  let times = 0
  return (facts) => {
    times += 1
    const now = performance.now()
    if (now < quietUntil) return
    log(facts, times)
    quietUntil = now + 1_000
    times = 0
  }
}

/** Maps an error to the problem to answer. An unknown error reveals nothing. */
function toProblem(error: Error, c: Context): Problem {
  const problem = isTransient(error) ? databaseAway(error) : error
  if (!(problem instanceof Problem)) return new Problem('internal', { cause: error })
  const key = keyToRepeatWith(c)
  return key && problem instanceof Unavailable ? problem.toRepeatWith(key) : problem
}

const databaseAway = (cause: Error) => new Unavailable('The database is not responding.', { cause })

const knownMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** For a label: a client could send any number of methods. */
const methodOf = ({ req }: Context) => (knownMethods.includes(req.method) ? req.method : '_OTHER')

/** 405 if another method has this path, otherwise 404. */
function noRoute(app: App, c: Context): Problem {
  const { path } = c.req
  const methodsOf = (path: string) =>
    knownMethods.filter((method) => app.router.match(method, path)[0].some(([[, it]]) => it.method !== 'ALL'))
  const allowed = methodsOf(path)
  if (allowed.length === 0) {
    const bare = path.replace(/\/$/, '') || '/'
    const hint = bare !== path && methodsOf(bare).length > 0 ? `: remove the trailing slash` : ''
    return new Problem('not-found', { detail: `No resource at ${path}${hint}` })
  }
  return notAllowed(allowed)
}

function notAllowed(methods: string[]): Problem {
  const allowed = methods.flatMap((it) => (it === 'GET' ? ['GET', 'HEAD'] : [it]))
  return new Problem('method-not-allowed', { headers: { allow: allowed.join(', ') } })
}

/** Counts and times the answers of one route. */
function observerOf({ httpSeconds }: Metrics, method: string, route: string): Observe {
  const seconds = memo((status: number) => httpSeconds.labels({ method, route, status }))
  return (status, startedAt) => seconds(status).observe((performance.now() - startedAt) / 1_000)
}
