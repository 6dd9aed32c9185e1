/**
 * Checks the target of a request before anything interprets it. Node and Deno treat these cases differently, and a
 * path filter in front may read a path differently from the service.
 */
import { Problem } from './problem.ts'

/** `.` and `..` as segments, also escaped. A server that resolves them serves a path that no filter has seen. */
const dotSegment = /^[^?#]*?[/\\](?:\.|%2e){1,2}(?:[/\\?#]|$)/i
const backslash = /^[^?#\\]*\\/
const absolute = /^https?:\/\/[^/?#]*/i
const hostForm = /^(?:[\w.~!$&'()*+,;=-]*|\[[\da-f:.]{2,45}\])(?::\d{0,5})?$/i

/** Cached, because nearly every request names the same host. */
let soundHost: string | undefined

/**
 * @param target from the request line: a path, or an absolute URL as proxies send it.
 * @param host the Host header. It may be absent, as in HTTP/1.0, or empty, because no response depends on it.
 * @throws {Problem} 400
 */
export function checkTarget(target: string, host: string | undefined): void {
  if (host && host !== soundHost) {
    if (!hostForm.test(host) || !URL.canParse(`http://${host}/`))
      refuse('The Host header is not a valid host.')
    soundHost = host
  }
  if (dotSegment.test(target)) refuse('The path contains . or .. as a segment: send the resolved path.')
  if (backslash.test(target)) refuse('The path contains a backslash: write it as %5C.')
}

/** @returns the path and query of a target. @throws {Problem} 400 when it is neither a path nor an http URL. */
export function pathOf(target: string): string {
  if (target.startsWith('/')) return target
  const [origin] = absolute.exec(target) ?? refuse('The target must be a path.')
  const path = target.slice(origin.length)
  return path.startsWith('/') ? path : `/${path}`
}

function refuse(detail: string): never {
  throw new Problem('invalid-input', { detail })
}

/** Load balancers probe a server with `OPTIONS *`. */
export const isProbe = (method: string | undefined, target: string): boolean =>
  method === 'OPTIONS' && target === '*'

export const probe = { status: 204, headers: { allow: 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS' } }
