/**
 * Parses the URL of a store: `scheme://user:password@host:port,host:port/path?name=value`.
 *
 * The runtime's URL class cannot: it knows only one host, and its errors repeat what it could not parse, including passwords.
 * An error here says what is wrong and what to write instead, and repeats nothing.
 */
import { isIPv6 } from 'node:net'

export class UrlError extends Error {
  override name = 'UrlError'
}

export type Node = { host: string; port: number | undefined }

export type StoreUrl = {
  /** In lower case, without the colon. */
  scheme: string
  username: string | undefined
  password: string | undefined
  nodes: Node[]
  /** Without the leading slash. */
  path: string
  parameters: Map<string, string>
}

const shape =
  /^(?<scheme>[a-z][a-z0-9+.-]*):\/\/(?:(?<userinfo>[^/?#]*)@)?(?<hosts>[^/?#]*)(?:\/(?<path>[^?#]*))?(?:\?(?<query>.*))?$/is

const escapes = 'in a user or password write %23 for #, %2F for /, %3F for ? and %40 for @'
const nodesMax = 100

/** @throws {UrlError} with a message that continues "DATABASE_URL …". */
export function splitStoreUrl(text: string): StoreUrl {
  if (text.includes('#')) throw new UrlError(`must not contain #: ${escapes}`)
  const { scheme, userinfo = '', hosts, path = '', query = '' } = shape.exec(text)?.groups ?? {}
  if (scheme === undefined || hosts === undefined) throw new UrlError('is not a URL')
  // An @ after the hosts means that the password contains a / or a ?.
  if (`${path}${query}`.includes('@')) throw new UrlError(`has an @ after a / or ?: ${escapes}`)
  const colon = userinfo.indexOf(':')
  return {
    scheme: scheme.toLowerCase(),
    username: decode(colon < 0 ? userinfo : userinfo.slice(0, colon)) || undefined,
    password: (colon >= 0 && decode(userinfo.slice(colon + 1))) || undefined,
    nodes: nodesOf(hosts),
    path: decode(path),
    parameters: parametersOf(query),
  }
}

/** @throws {UrlError} when the text is not a list of `host`, `host:port` or `[IPv6]:port`. */
export function nodesOf(hosts: string): Node[] {
  if (hosts.trim() === '') return []
  const nodes = hosts.split(',', nodesMax + 1).map(nodeOf)
  if (nodes.length > nodesMax) throw new UrlError(`names more than ${nodesMax} hosts`)
  return nodes
}

function nodeOf(text: string): Node {
  const { v6, name, port } =
    /^(?:\[(?<v6>[^\]]*)\]|(?<name>[^:[\]]*))(?::(?<port>[^:]*))?$/s.exec(text.trim())?.groups ?? {}
  if (v6 === undefined && name === undefined)
    throw new UrlError('has a host with several colons: write an IPv6 address in brackets, as in [::1]')
  if (v6 !== undefined && !isIPv6(v6))
    throw new UrlError('has something other than an IPv6 address in brackets')
  const host = v6 ?? decode(name!)
  if (host === '') throw new UrlError('has an empty host')
  if (/[\s"<>\\^`{|}]/.test(host))
    throw new UrlError('has a host with a space or a character that no host name has')
  return { host, port: port === undefined ? undefined : portOf(port) }
}

/** @throws {UrlError} */
export function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (port < 1 || port > 65_535) throw new UrlError('has a port that is not a number from 1 to 65535')
  return port
}

/** As in libpq, a + is a plus sign. */
function parametersOf(query: string): Map<string, string> {
  const parameters = new Map<string, string>()
  for (const pair of query.split('&').filter((it) => it !== '')) {
    const [name, ...value] = pair.split('=')
    const key = decode(name!)
    if (parameters.has(key)) throw new UrlError(`has a parameter twice: ${shown(key)}`)
    parameters.set(key, decode(value.join('=')))
  }
  return parameters
}

/** @returns the name of a parameter, for an error. Anything that does not look like a name may be part of a password. */
export const shown = (name: string): string => (/^[A-Za-z][\w.-]{0,40}$/.test(name) ? name : '(not shown)')

function decode(text: string): string {
  let decoded: string
  try {
    decoded = decodeURIComponent(text)
  } catch {
    throw new UrlError('has a % that starts no escape: write %25 for %')
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it must find them.
  if (/[\0-\x1f\x7f]/.test(decoded)) throw new UrlError('must not contain control characters')
  return decoded
}
