/** `REDIS_URL`, of one server or of the nodes of a cluster. It is checked when a process starts. */
import { isIP } from 'node:net'
import { shown, splitStoreUrl, UrlError } from './url.ts'

type RedisAddress = {
  cluster: boolean
  nodes: { host: string; port: number }[]
  /** For the connection to the server, or to each node. */
  connection: {
    username?: string
    password?: string
    /** Not in a cluster. */
    db?: number
    family?: 4 | 6
    tls?: { servername?: string }
  }
}

const schemes = ['redis', 'rediss', 'redis+cluster', 'rediss+cluster']
export const redisExample = 'redis://host:6379 or redis+cluster://host:6379,host:6379'
const defaultPort = 6379

export const isCluster = (url: string): boolean => /^rediss?\+cluster:/i.test(url)

/** @throws {UrlError} with a message that continues "REDIS_URL …" and repeats nothing of the URL. */
export function redisAddress(url: string): RedisAddress {
  if (!schemes.includes(/^[a-z+]+(?=:\/\/)/i.exec(url)?.[0].toLowerCase() ?? ''))
    throw new UrlError(`must be a URL like ${redisExample}`)
  const { scheme, username, password, nodes, path, parameters } = splitStoreUrl(url)
  const cluster = scheme.endsWith('+cluster')
  if (nodes.length === 0) throw new UrlError(`names no host: it must be a URL like ${redisExample}`)
  if (nodes.length > 1 && !cluster)
    throw new UrlError(`names several hosts: for a cluster write ${scheme}+cluster://host:6379,host:6379`)
  const host = nodes[0]!.host
  return {
    cluster,
    nodes: nodes.map((it) => ({ host: it.host, port: it.port ?? defaultPort })),
    connection: {
      ...(username ? { username } : {}),
      ...(password ? { password } : {}),
      ...databaseOf(path, cluster),
      ...familyOf(parameters),
      // Each node of a cluster has its own name.
      ...(scheme.startsWith('rediss') ? { tls: cluster || isIP(host) ? {} : { servername: host } } : {}),
    },
  }
}

function databaseOf(path: string, cluster: boolean): { db?: number } {
  if (path === '' || path === '0') return {}
  if (!/^\d{1,5}$/.test(path)) throw new UrlError('has a path that is not the number of a database, as in /0')
  if (cluster) throw new UrlError('names a database, and a cluster has only database 0')
  return { db: Number(path) }
}

function familyOf(parameters: Map<string, string>): { family?: 4 | 6 } {
  for (const name of parameters.keys())
    if (name !== 'family') throw new UrlError(`has an unknown parameter: ${shown(name)}. Leave it out`)
  const family = parameters.get('family')
  if (family === undefined || family === '0') return {}
  if (family !== '4' && family !== '6') throw new UrlError('has a family other than 0, 4 or 6')
  return { family: family === '4' ? 4 : 6 }
}
