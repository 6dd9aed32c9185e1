/** Adds pages to the app: who may open them, errors as pages, and metrics. */
import type { App } from '../platform/http/app.ts'
import { endSpan, spanOf } from '../platform/http/request-span.ts'
import type { Log } from '../platform/log.ts'
import { type Metrics, memo } from '../platform/metrics.ts'
import type { Tracing } from '../platform/tracing/tracing.ts'
import { forbidden, pageOfError, sessionOver } from './errors.ts'
import { isStream, streamOver } from './live.ts'
import { type Reply, type Site, Visit } from './visit.ts'
import type { Role, Who } from './who.ts'

/** The people who may open a page: all, all who are known, or those with one of these roles. */
export type Access = 'anyone' | 'known' | readonly Role[]

type Handler<Person> = (visit: Visit, who: Person) => Reply

type RoutesOptions = {
  app: App
  site: Site
  log: Log
  metrics: Metrics
  stopping: AbortSignal
  /** Absent when tracing is off. */
  tracing: Tracing | undefined
}

export class PageRoutes {
  readonly site: Site
  /** Aborted when the process stops: event streams end. */
  readonly stopping: AbortSignal
  readonly #app: App
  readonly #log: Log
  readonly #metrics: Metrics
  readonly #tracing: Tracing | undefined

  constructor({ app, site, log, metrics, stopping, tracing }: RoutesOptions) {
    this.site = site
    this.stopping = stopping
    this.#app = app
    this.#log = log
    this.#metrics = metrics
    this.#tracing = tracing
  }

  get(path: string, access: 'anyone', handler: Handler<Who | undefined>): void
  get(path: string, access: Exclude<Access, 'anyone'>, handler: Handler<Who>): void
  get(path: string, access: Access, handler: Handler<Who>): void {
    this.#on('GET', path, access, handler)
  }

  /** Of a form. Its answer is `visit.goTo`, or the page with the faults to correct. */
  post(path: string, access: 'anyone', handler: Handler<Who | undefined>): void
  post(path: string, access: Exclude<Access, 'anyone'>, handler: Handler<Who>): void
  post(path: string, access: Access, handler: Handler<Who>): void {
    this.#on('POST', path, access, handler)
  }

  #on(method: 'GET' | 'POST', path: string, access: Access, handler: Handler<Who>): void {
    const { httpSeconds } = this.#metrics
    const seconds = memo((status: number) => httpSeconds.labels({ method, route: path, status }))
    const begin = this.#tracing && spanOf(this.#tracing, { method, path })
    this.#app.on(method, path, async (c) => {
      const startedAt = performance.now()
      const span = begin?.(c)
      const visit = new Visit(this.site, c)
      const response = await this.#answer(visit, access, handler)
      seconds(response.status).observe((performance.now() - startedAt) / 1_000)
      if (span) endSpan(span, response.status)
      return response
    })
  }

  async #answer(visit: Visit, access: Access, handler: Handler<Who>): Promise<Response> {
    try {
      const { who } = visit
      visit.site.login?.limit(visit.c)
      if (access === 'anyone') return await handler(visit, who!)
      if (!who) {
        const to = visit.path
        if (visit.hasLogin && isStream(visit)) return streamOver(visit)
        return visit.c.get('sessionOver') ? await sessionOver(visit, to) : visit.goTo(visit.entrance(to))
      }
      if (access !== 'known' && !who.roles.some((role) => access.includes(role)))
        return forbidden(visit, access)
      if (!isStream(visit)) await visit.site.login?.note(visit.c)
      return await handler(visit, who)
    } catch (error) {
      return pageOfError(visit, error, this.#log)
    }
  }
}
