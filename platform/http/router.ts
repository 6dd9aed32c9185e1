import type { Result } from 'hono/router'
import { TrieRouter } from 'hono/router/trie-router'

/**
 * Hono's router for any set of paths. It searches for each request; this one remembers what it found for the paths without
 * parameters, the most frequent ones among them.
 */
export class Router<Handler> extends TrieRouter<Handler> {
  /** By path and method: only those that have been added, of which there are few. */
  readonly #fixed = new Map<string, Map<string, Result<Handler> | undefined>>()

  override add(method: string, path: string, handler: Handler): void {
    super.add(method, path, handler)
    // A handler for many paths, such as a middleware, may belong to what was found.
    for (const methods of this.#fixed.values()) for (const it of methods.keys()) methods.set(it, undefined)
    if (/[:*?]/.test(path)) return
    const methods = this.#fixed.get(path) ?? new Map()
    this.#fixed.set(path, methods.set(method, undefined))
  }

  override match(method: string, path: string): Result<Handler> {
    const methods = this.#fixed.get(path)
    const known = methods?.get(method)
    if (known) return known
    const found = super.match(method, path)
    if (methods?.has(method)) methods.set(method, found)
    return found
  }
}
