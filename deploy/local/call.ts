/** Calls of the services' HTTP APIs, for programs of this repository. The types of the answers are in `openapi/`. */

export type Call = {
  /** Makes it a POST. */
  json?: object
  headers?: Record<string, string>
  signal?: AbortSignal
}

/** @throws when the service cannot be reached, or refuses the call. */
export async function call<Body>(url: string, { json, headers, signal }: Call = {}): Promise<Body> {
  const method = json ? 'POST' : 'GET'
  const response = await fetch(url, {
    method,
    headers: { ...headers, ...(json && { 'content-type': 'application/json' }) },
    ...(json && { body: JSON.stringify(json) }),
    ...(signal && { signal }),
  }).catch((error: Error) => {
    signal?.throwIfAborted()
    throw new Error(`Cannot reach ${url}: ${(error.cause as Error | undefined)?.message ?? error.message}`)
  })
  if (response.ok) return (await response.json()) as Body
  throw new Error(`${method} ${url} answered ${response.status}: ${await response.text()}`)
}

type Page<Item> = { _embedded: Record<string, Item[]>; _links: { next?: { href: string } } }

/** @returns all items of a collection, such as `stocks` or `reservations?bookid=1`, page by page. */
export async function callEvery<Item>(url: string, collection: string, options: Call = {}): Promise<Item[]> {
  const items: Item[] = []
  const [name] = collection.split('?')
  let next: string | undefined = `/${collection}${collection.includes('?') ? '&' : '?'}limit=200`
  while (next) {
    const page: Page<Item> = await call(new URL(next, url).href, options)
    items.push(...page._embedded[name!]!)
    next = page._links.next?.href
  }
  return items
}
