/**
 * `DATABASE_URL`, in the syntax of libpq. It is checked when a process starts.
 *
 * J1. A parameter means what it means to libpq, or is refused by its name. None is passed on unchecked.
 * J2. No URL can change what the services set themselves (role, search_path, …).
 * J3. `channel_binding=require` gets at least that security: the driver cannot bind channels, so the server's certificate is
 *     verified, whatever `sslmode` says.
 * J4. Of several hosts the primary is used, because every service writes.
 */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { type Node, nodesOf, portOf, type StoreUrl, shown, splitStoreUrl, UrlError } from './url.ts'

/** As postgres.js takes them. */
type DatabaseAddress = {
  host: string[]
  port: number[]
  /** Of a Unix socket. */
  path?: string
  database?: string
  username?: string
  password?: string
  ssl: false | 'prefer' | ConnectionOptions
  sslnegotiation?: 'direct'
  target_session_attrs?: 'primary'
  keep_alive?: number
  connect_timeout?: number
  /** Prefix of the name under which the server shows the connection. */
  applicationName?: string
  /** For the server: `-c name=value …`. Settings of the service override them. */
  options?: string
}

export const databaseExample = 'postgres://user:password@host:5432/database'
const defaultPort = 5432

/** @throws {UrlError} with a message that continues "DATABASE_URL …" and repeats no value of the URL. */
export function databaseAddress(url: string): DatabaseAddress {
  if (!/^postgres(ql)?:\/\//i.test(url)) throw new UrlError(`must be a URL like ${databaseExample}`)
  const it = splitStoreUrl(url)
  for (const [name, value] of it.parameters) check(name, value)
  return { ...placeOf(it), ...loginOf(it), ...transportOf(it), ...sessionOf(it) }
}

function placeOf({ nodes, parameters }: StoreUrl) {
  const named = parameters.get('host')
  const all = named === undefined ? nodes.map(asSocket) : named.split(',').map((it) => hostOf(it.trim()))
  if (all.length === 0)
    throw new UrlError('names no host: for a Unix socket add its folder, as in ?host=/var/run/postgresql')
  const ports = portsOf(parameters.get('port'), all)
  const sockets = all.filter((it) => it.host.startsWith('/'))
  if (sockets.length > 0 && all.length > 1) throw new UrlError('names a Unix socket and other hosts')
  const host = all.map((it) => it.host)
  const path = sockets.length > 0 ? { path: `${host[0]}/.s.PGSQL.${ports[0]}` } : {}
  return {
    host,
    port: ports,
    ...path,
    ...(all.length > 1 ? { target_session_attrs: 'primary' as const } : {}),
  }
}

const asSocket = ({ host, port }: Node): Node => {
  if (host.includes('/') && !host.startsWith('/')) throw new UrlError('has a host that contains a /')
  return { host, port }
}

/** Parses a host of the `host` parameter: without a port, an IPv6 address with or without brackets. */
function hostOf(text: string): Node {
  if (text.startsWith('/')) return { host: text, port: undefined }
  return nodesOf(isIP(text) === 6 ? `[${text}]` : text)[0] ?? fail('has an empty host')
}

function portsOf(named: string | undefined, nodes: Node[]): number[] {
  const ports = named?.split(',').map((it) => portOf(it.trim())) ?? []
  if (ports.length > 1 && ports.length !== nodes.length)
    throw new UrlError('names more or fewer ports than hosts')
  return nodes.map((it, i) => ports[i] ?? ports[0] ?? it.port ?? defaultPort)
}

function loginOf({ username, password, path, parameters }: StoreUrl) {
  return {
    ...maybe('database', parameters.get('dbname') || path),
    ...maybe('username', parameters.get('user') || username),
    ...maybe('password', parameters.get('password') || password),
  }
}

function sessionOf({ parameters }: StoreUrl) {
  const seconds = parameters.get('connect_timeout')
  const idle = parameters.get('keepalives_idle')
  return {
    ...maybe('connect_timeout', seconds && Number(seconds)),
    ...maybe('keep_alive', idle && Number(idle)),
    ...maybe('applicationName', parameters.get('application_name')),
    ...maybe('options', parameters.get('options')),
  }
}

const modes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const

function transportOf(it: StoreUrl): Pick<DatabaseAddress, 'ssl' | 'sslnegotiation'> {
  const { parameters } = it
  const mode = modeOf(parameters)
  const direct = parameters.get('sslnegotiation') === 'direct'
  if (direct && !/^(require|verify)/.test(mode))
    throw new UrlError('has sslnegotiation=direct, which needs sslmode=require or verify-full')
  if (mode === 'disable') return { ssl: false }
  const given = tlsOf(parameters)
  // Such a connection verifies no certificate.
  if (mode === 'allow' || mode === 'prefer') return { ssl: 'prefer' }
  const verified = mode !== 'require' || given.ca !== undefined
  return {
    ssl: {
      ...given,
      rejectUnauthorized: verified,
      ...(mode === 'verify-full' ? soleAddress(it) : { checkServerIdentity: () => undefined }),
    },
    ...(direct ? { sslnegotiation: 'direct' as const } : {}),
  }
}

function modeOf(parameters: Map<string, string>): (typeof modes)[number] {
  // As in libpq, for compatibility with JDBC.
  const jdbc = { true: 'require', false: 'disable' }[parameters.get('ssl') ?? '']
  const bound = parameters.get('channel_binding') === 'require'
  const files = ['sslrootcert', 'sslcert', 'sslkey', 'sslcrl'].some((name) => parameters.has(name))
  const named =
    parameters.get('sslmode') ?? parameters.get('ssl') ?? (files || bound ? 'verify-full' : 'disable')
  const mode = (jdbc ?? named) as (typeof modes)[number]
  if (!bound && parameters.get('sslrootcert') !== 'system') return mode
  if (mode === 'disable') throw new UrlError('requires TLS by one parameter and disables it by another')
  return 'verify-full'
}

/** Otherwise Node would check the certificate of an address against the name localhost. */
function soleAddress({ nodes, parameters }: StoreUrl): ConnectionOptions {
  const host = parameters.get('host') ?? nodes[0]?.host ?? ''
  return isIP(host) ? { host } : {}
}

function tlsOf(parameters: Map<string, string>): ConnectionOptions {
  const file = (name: string) => {
    const path = parameters.get(name)
    if (path === undefined || path === 'system') return undefined
    try {
      return readFileSync(path)
    } catch (error) {
      throw new UrlError(`names a file in ${name} that cannot be read (${(error as { code?: string }).code})`)
    }
  }
  return {
    ...maybe('ca', file('sslrootcert')),
    ...maybe('cert', file('sslcert')),
    ...maybe('key', file('sslkey')),
    ...maybe('crl', file('sslcrl')),
    ...maybe('passphrase', parameters.get('sslpassword')),
    ...maybe('minVersion', parameters.get('ssl_min_protocol_version') as ConnectionOptions['minVersion']),
    ...maybe('maxVersion', parameters.get('ssl_max_protocol_version') as ConnectionOptions['maxVersion']),
  }
}

const anything = /^/
const tlsVersion = /^TLSv1(\.[123])?$/
const seconds = /^([1-9]|[1-5]\d|60)$/

/** Known parameters and their possible values. For some that is only the value that holds here anyway. */
const understood: Record<string, RegExp> = {
  host: anything,
  port: anything,
  dbname: anything,
  user: anything,
  password: anything,
  application_name: /^[\w.-]{1,40}$/,
  connect_timeout: seconds,
  options: anything,
  keepalives: /^1$/,
  keepalives_idle: /^[1-9]\d{0,4}$/,
  client_encoding: /^(auto|utf-?8)$/i,
  target_session_attrs: /^(any|read-write|primary)$/,
  load_balance_hosts: /^disable$/,
  gssencmode: /^(disable|prefer)$/,
  channel_binding: /^(disable|prefer|require)$/,
  ssl: new RegExp(`^(true|false|${modes.join('|')})$`),
  sslmode: new RegExp(`^(${modes.join('|')})$`),
  sslrootcert: anything,
  sslcert: anything,
  sslkey: anything,
  sslpassword: anything,
  sslcrl: anything,
  sslcompression: /^0$/,
  sslsni: /^1$/,
  sslnegotiation: /^(postgres|direct)$/,
  ssl_min_protocol_version: tlsVersion,
  ssl_max_protocol_version: tlsVersion,
}

/** Parameters that a service or the driver sets itself. */
const ours = /^(role|search_path|datestyle|timezone|statement_timeout|lock_timeout|max|prepare|fetch_types)$/i

function check(name: string, value: string): void {
  const allowed = Object.hasOwn(understood, name) ? understood[name] : undefined
  if (allowed?.test(value)) return
  if (allowed) throw new UrlError(`has an unsupported value of ${name}: leave it out, or see README`)
  if (ours.test(name))
    throw new UrlError(`has the parameter ${name}, which the services set themselves: leave it out`)
  throw new UrlError(
    `has an unknown parameter: ${shown(name)}. Leave it out (a setting of the server is written options=-c%20name=value)`,
  )
}

const maybe = <Name extends string, Value>(name: Name, value: Value | '' | undefined) =>
  (value === undefined || value === '' ? {} : { [name]: value }) as { [name in Name]?: Value }

function fail(message: string): never {
  throw new UrlError(message)
}
