/** Routes, and their bodies in the documents. Each names its callers: without `access` it does not compile. */
import { createRoute, type RouteConfig, type z } from '@hono/zod-openapi'
import type { Access } from '../identity/caller.ts'
import { collectionSchema } from './paging.ts'

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

/** @param example a body that the schema accepts, before its defaults. */
export const jsonBody = <Schema extends z.ZodType>(schema: Schema, example: z.input<Schema>) => ({
  content: { 'application/json': { schema, example } },
  required: true,
})

export const jsonAnswer = <Schema extends z.ZodType>(
  schema: Schema,
  description: string,
  example: z.input<Schema>,
) => ({
  description,
  content: { 'application/json': { schema, example } },
})

type Page<Name extends string, Item extends z.ZodType> = {
  /** Of the page in the document, such as `BookPage`. */
  as: string
  /** Of the items in the page. */
  name: Name
  item: Item
  description: string
  example: z.input<Item>
  /** Of the collection. */
  path: string
}

/** A page whose example holds one item. */
export function pageAnswer<Name extends string, Item extends z.ZodType>(page: Page<Name, Item>) {
  const { as, name, item, description, example, path } = page
  const shown = { _embedded: { [name]: [example] }, _links: { self: { href: path } } }
  const schema = collectionSchema(name, item).openapi(as)
  return { description, content: { 'application/json': { schema, example: shown } } }
}
