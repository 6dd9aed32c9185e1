/** Routes that name their callers: without `access` none compiles. */
import { createRoute, type RouteConfig } from '@hono/zod-openapi'
import type { Access } from '../identity/caller.ts'

export type AppRoute = RouteConfig & { access: Access }

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete'
type Own = Omit<AppRoute, 'method' | 'path' | 'tags'>

const routeBy =
  <Verb extends Method>(method: Verb, tag: string) =>
  <Path extends string, Route extends Own>(path: Path, route: Route) =>
    createRoute({ method, path, ...route, tags: [tag] })

/** @param tag of the routes in their document. */
export const routesOf = (tag: string) => ({
  get: routeBy('get', tag),
  post: routeBy('post', tag),
  put: routeBy('put', tag),
  patch: routeBy('patch', tag),
  delete: routeBy('delete', tag),
})
