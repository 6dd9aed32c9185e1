/** A route that names its callers: without `access` it does not compile. */
import { createRoute as create, type RouteConfig } from '@hono/zod-openapi'
import type { Access } from '../identity/caller.ts'

export type AppRoute = RouteConfig & { access: Access }

export function createRoute<
  Path extends string,
  Route extends Omit<RouteConfig, 'path'> & { path: Path; access: Access },
>(route: Route) {
  return create<Path, Route>(route)
}
