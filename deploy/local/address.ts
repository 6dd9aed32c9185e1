/** Where a service is that listens on some host and port of this machine. The one place where such URLs are made. */
import { Agent, get } from 'node:http'
import { isIPv6 } from 'node:net'

/** What the spellings of one host have in common: no brackets, and an address as URLs write it. */
function plain(host: string): string {
  const bare = host.replace(/^\[(.*)\]$/, '$1')
  const url = `http://${isIPv6(bare) ? `[${bare}]` : bare}`
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[(.*)\]$/, '$1') : bare
}

/** A host that can be connected to: of the wildcards, loopback. */
export function reachableHost(host: string): string {
  const it = plain(host)
  if (it === '0.0.0.0' || it === '::ffff:0:0') return '127.0.0.1'
  return it === '::' ? '::1' : it
}

export const isLoopback = (host: string): boolean =>
  plain(host) === 'localhost' || plain(host) === '::1' || plain(host).startsWith('127.')

/** For people and clients. A service that listens on IPv4's loopback, or everywhere, is at `localhost`. */
export function urlOf(host: string, port: number): string {
  const it = reachableHost(host)
  if (it === '127.0.0.1' || plain(host) === '::') return `http://localhost:${port}`
  return `http://${isIPv6(it) ? `[${it.replace('%', '%25')}]` : it}:${port}`
}

/**
 * The status of a GET. It goes straight to the port: neither a URL's grammar nor a proxy that the environment names comes
 * between.
 */
export function statusOf(host: string, port: number, path: string, signal: AbortSignal): Promise<number> {
  const agent = new Agent()
  return new Promise<number>((resolve, reject) => {
    const options = { host: reachableHost(host), port, path, agent, signal }
    get(options, (response) => {
      response.on('error', reject).resume()
      resolve(response.statusCode ?? 0)
    }).on('error', reject)
  }).finally(() => agent.destroy())
}
