/**
 * Checks where a request goes before anything interprets it. Node and Deno answer these cases each in its own way, and
 * a path filter in front may read a path in another way than the service: both are settled here, once.
 */
import { Problem } from './problem.ts'

/** `.` and `..` as a segment, also as escapes. A server that resolves them serves a path that no filter has seen. */
const dotSegment = /^[^?#]*?[/\\](?:\.|%2e){1,2}(?:[/\\?#]|$)/i
const backslash = /^[^?#\\]*\\/
const absolute = /^https?:\/\/[^/?#]*/i
const hostForm = /^(?:[\w.~!$&'()*+,;=-]*|\[[\da-f:.]{2,45}\])(?::\d{0,5})?$/i

/** Nearly every request names the same host. */
let soundHost: string | undefined

/**
 * @param target of the request line: a path, or an absolute URL as proxies send it.
 * @param host the Host header. Absent, as in HTTP/1.0, or empty: any host will do, since no answer depends on it.
 * @throws {Problem} 400
 */
export function checkTarget(target: string, host: string | undefined): void {
  if (host && host !== soundHost) {
    if (!hostForm.test(host) || !URL.canParse(`http://${host}/`)) refuse('Host names no host.')
    soundHost = host
  }
  if (dotSegment.test(target)) refuse('The path holds . or .. as a segment: send the path that it leads to.')
  if (backslash.test(target)) refuse('The path holds a backslash: write it as %5C.')
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

/** `OPTIONS *` asks whether the server is there: load balancers probe with it. */
export const isProbe = (method: string | undefined, target: string): boolean =>
  method === 'OPTIONS' && target === '*'

export const probe = { status: 204, headers: { allow: 'GET, HEAD, POST, PUT, PATCH, OPTIONS' } }
