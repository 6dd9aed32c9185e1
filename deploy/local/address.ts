/** URLs of services that listen on a host and port of this machine. Only this file builds them. */
import { Agent, get } from 'node:http'
import { isIPv6 } from 'node:net'

/** The canonical spelling of a host: without brackets, and an address as in a URL. */
function plain(host: string): string {
  const bare = host.replace(/^\[(.*)\]$/, '$1')
  const url = `http://${isIPv6(bare) ? `[${bare}]` : bare}`
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[(.*)\]$/, '$1') : bare
}

/** A host to connect to: loopback for the wildcards. */
function reachableHost(host: string): string {
  const it = plain(host)
  if (it === '0.0.0.0' || it === '::ffff:0:0') return '127.0.0.1'
  return it === '::' ? '::1' : it
}

export const isLoopback = (host: string): boolean =>
  plain(host) === 'localhost' || plain(host) === '::1' || plain(host).startsWith('127.')

/** For people and clients. It is `localhost` if the service listens on the IPv4 loopback or on every address. */
export function urlOf(host: string, port: number): string {
  const it = reachableHost(host)
  if (it === '127.0.0.1' || plain(host) === '::') return `http://localhost:${port}`
  return `http://${isIPv6(it) ? `[${it.replace('%', '%25')}]` : it}:${port}`
}

/**
 * The status of a GET. It connects directly to the port, without parsing a URL and without a proxy of the environment.
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
