import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import selfsigned from 'selfsigned'
import { afterAll, beforeAll, expect, inject, onTestFinished, test, vi } from 'vitest'
import { OwnServer } from '../tests/doubles/own-server.ts'
import { databaseAddress } from './database-url.ts'
import { closePostgres, openAsAdministrator, openPostgres } from './postgres.ts'
import { UrlError } from './url.ts'

const place = { host: ['h'], port: [5432], database: 'd', username: 'u', password: 'p', ssl: false }

test.each<[string, object]>([
  ['postgres://u:p@h/d', place],
  ['POSTGRESQL://u:p@h:5432/d', place],
  ['postgres://u@h', { host: ['h'], port: [5432], username: 'u', ssl: false }],
  ['postgres://u:a:b%40%2F%23%25@h/d', { ...place, password: 'a:b@/#%' }],
  ['postgres://u:p+q@h/d', { ...place, password: 'p+q' }],
  ['postgres://u:p@[::1]:6/d', { ...place, host: ['::1'], port: [6] }],
  ['postgres://h/d?user=u&password=p+q', { ...place, password: 'p+q' }],
  ['postgres://u:p@h/x?host=%3A%3A1&port=6&dbname=d', { ...place, host: ['::1'], port: [6] }],
  [
    'postgres://u:p@h1:1,h2, [::2]:3/d',
    { ...place, host: ['h1', 'h2', '::2'], port: [1, 5432, 3], target_session_attrs: 'primary' },
  ],
  ['postgres://u:p@h/d?sslmode=prefer', { ...place, ssl: 'prefer' }],
  ['postgres://u:p@h/d?sslmode=verify-full', { ...place, ssl: { rejectUnauthorized: true } }],
  ['postgres://u:p@h/d?sslrootcert=system', { ...place, ssl: { rejectUnauthorized: true } }],
  // As issued by Neon.
  [
    'postgresql://u:p@h/d?sslmode=require&channel_binding=require',
    { ...place, ssl: { rejectUnauthorized: true } },
  ],
  [
    'postgres://u:p@h/d?gssencmode=disable&keepalives=1&sslmode=disable&target_session_attrs=read-write',
    place,
  ],
  [
    'postgres://u:p@h/d?connect_timeout=10&keepalives_idle=30',
    { ...place, connect_timeout: 10, keep_alive: 30 },
  ],
  ['postgres://u:p@h/d?application_name=books', { ...place, applicationName: 'books' }],
  ['postgres://u:p@h/d?options=endpoint%3Dquiet-sea', { ...place, options: 'endpoint=quiet-sea' }],
  ['postgres://u:p@%2Frun%2Fpg/d', { ...place, host: ['/run/pg'], path: '/run/pg/.s.PGSQL.5432' }],
  [
    'postgres://u:p@/d?host=/run/pg&port=6',
    { ...place, host: ['/run/pg'], port: [6], path: '/run/pg/.s.PGSQL.6' },
  ],
  [
    'postgres:///d?host=/run/pg&user=u&password=p',
    { ...place, host: ['/run/pg'], path: '/run/pg/.s.PGSQL.5432' },
  ],
])('J1: %s is understood', (url, address) => {
  expect(databaseAddress(url)).toEqual(address)
})

const refused: [string, string][] = [
  ['mysql://u:SECRET@h/d', 'must be a URL like'],
  ['u:SECRET@h/d', 'must be a URL like'],
  ['postgres://u:SEC#RET@h/d', 'must not contain #'],
  ['postgres://u:SEC/RET@h/d', 'has an @ after a / or ?'],
  ['postgres://u:SEC?RET@h/d', 'has an @ after a / or ?'],
  ['postgres://u:SEC%RET@h/d', 'starts no escape'],
  ['postgres://u:SEC%00RET@h/d', 'control characters'],
  ['postgres://u:SECRET@h:port/d', 'has a port'],
  ['postgres://u:SECRET@h:0/d', 'has a port'],
  ['postgres://u:SECRET@h:70000/d', 'has a port'],
  ['postgres://u:SECRET@::1/d', 'brackets'],
  ['postgres://u:SECRET@[::x]/d', 'IPv6'],
  ['postgres://u:SECRET@h,,i/d', 'empty host'],
  ['postgres://u:SECRET@h h/d', 'no host name has'],
  ['postgres:///d', 'names no host'],
  ['postgres://u:SECRET@/d', 'host=/var/run/postgresql'],
  ['postgres://u:SECRET@h/d?search_path=public', 'search_path, which the services set themselves'],
  ['postgres://u:SECRET@h/d?schema=public', 'unknown parameter: schema'],
  ['postgres://u:SECRET@h/d?pgbouncer=true', 'unknown parameter: pgbouncer'],
  ['postgres://u:SECRET@h/d?sslmode=no-verify', 'unsupported value of sslmode'],
  ['postgres://u:SECRET@h/d?sslmode=disable&channel_binding=require', 'requires TLS'],
  [
    'postgres://u:SECRET@h/d?sslmode=verify-full&sslrootcert=/nowhere.pem',
    'sslrootcert that cannot be read (ENOENT)',
  ],
  ['postgres://u:SECRET@h/d?target_session_attrs=standby', 'unsupported value of target_session_attrs'],
  ['postgres://u:SECRET@h/d?connect_timeout=0', 'unsupported value of connect_timeout'],
  ['postgres://u:SECRET@h/d?client_encoding=latin1', 'unsupported value of client_encoding'],
  ['postgres://u:SECRET@h/d?sslmode=require&sslmode=disable', 'has a parameter twice: sslmode'],
  ['postgres://u:SECRET@h/d?hasOwnProperty=1', 'unknown parameter: hasOwnProperty'],
  ['postgres://u@h/d?SECRET%20x=1', 'unknown parameter: (not shown)'],
]
test.each(refused)('J1: %s is refused with advice, and not repeated', (url, message) => {
  const error = refusal(url)
  expect(error).toBeInstanceOf(UrlError)
  expect((error as Error).message).toContain(message)
  expect((error as Error).stack).not.toMatch(/SEC.?RET/)
})

function refusal(url: string): unknown {
  try {
    return databaseAddress(url)
  } catch (error) {
    return error
  }
}

test('a service reaches Postgres through a Unix socket', async () => {
  const { hostname, port, username, password, pathname } = new URL(inject('postgresUrl'))
  const dir = await mkdtemp(join(tmpdir(), 'socket-'))
  const relay = createServer((from) => {
    const to = connect(Number(port), hostname)
    for (const [it, other] of [
      [from, to],
      [to, from],
    ] as const)
      it.pipe(other).on('error', () => it.destroy())
  })
  await new Promise<void>((resolve) => relay.listen(join(dir, '.s.PGSQL.5432'), resolve))
  for (const url of [
    `postgres://${username}:${password}@${encodeURIComponent(dir)}${pathname}`,
    `postgres://${username}:${password}@${pathname}?host=${dir}`,
  ]) {
    const sql = openPostgres(url, { schema: 'pg_monitor', max: 1 })
    expect(await sql`select current_user as who`).toEqual([{ who: 'pg_monitor' }])
    await closePostgres(sql)
  }
  await new Promise((resolve) => relay.close(resolve))
  await rm(dir, { recursive: true })
})

test('environment variables for psql have no effect', async () => {
  const set = {
    PGTARGETSESSIONATTRS: 'any',
    PGHOST: 'none.invalid',
    PGSSL: 'require',
    PGPREPARE: 'no',
    PGMAX_LIFETIME: '1',
    PGAPPNAME: 'psql',
    PGOPTIONS: '-c search_path=public',
  }
  for (const [name, value] of Object.entries(set)) vi.stubEnv(name, value)
  onTestFinished(() => void vi.unstubAllEnvs())
  const url = inject('postgresUrl')
  for (const sql of [openPostgres(url, { schema: 'pg_monitor', max: 1 }), openAsAdministrator(url)]) {
    const [row] = await sql`select current_setting('application_name') as name`
    expect(row!.name).toMatch(/^bookreservation-/)
    await sql.end()
  }
})

test('J2: settings in options reach the server, and those of the service override them', async () => {
  const options = encodeURIComponent(
    '-c work_mem=3MB -c search_path=public -c role=pg_read_all_data -c datestyle=German',
  )
  const sql = openPostgres(`${inject('postgresUrl')}?options=${options}&application_name=books`, {
    schema: 'pg_monitor',
    max: 1,
  })
  expect(
    await sql`select current_setting('work_mem') as memory, current_setting('search_path') as path, current_user as who,
      current_setting('datestyle') as style, current_setting('application_name') as name`,
  ).toEqual([
    { memory: '3MB', path: 'pg_monitor', who: 'pg_monitor', style: 'ISO, MDY', name: 'books-pg_monitor' },
  ])
  await closePostgres(sql)
})

test('J4: of several hosts the primary is used', async () => {
  const message = (type: string, text: string) => {
    const length = Buffer.alloc(4)
    length.writeInt32BE(4 + text.length)
    return type + length.toString('latin1') + text
  }
  // The first messages of a standby that demands no password.
  const greeting = [
    message('R', '\0\0\0\0'),
    message('S', 'in_hot_standby\0on\0'),
    message('S', 'default_transaction_read_only\0off\0'),
    message('Z', 'I'),
  ].join('')
  let connections = 0
  const standby = createServer((socket) => {
    connections += 1
    socket.on('error', () => {}).on('end', () => socket.end())
    socket.once('data', () => socket.write(greeting, 'latin1'))
  })
  await new Promise<void>((resolve) => standby.listen(0, '127.0.0.1', resolve))
  const url = new URL(inject('postgresUrl'))
  const hosts = `127.0.0.1:${(standby.address() as AddressInfo).port},${url.host}`
  const sql = openPostgres(url.href.replace(url.host, hosts), { schema: 'pg_monitor', max: 1 })
  expect(await sql`select pg_is_in_recovery() as recovering`).toEqual([{ recovering: false }])
  expect(connections).toBe(1)
  await closePostgres(sql)
  standby.close()
})

let server: OwnServer
let dir: string
beforeAll(async () => {
  server = await OwnServer.postgres()
  dir = await mkdtemp(join(tmpdir(), 'tls-'))
  await chmod(dir, 0o711)
  const { private: key, cert } = await selfsigned.generate([{ name: 'commonName', value: 'localhost' }], {
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] },
    ],
  })
  const [keyFile, certFile] = [join(dir, 'key.pem'), join(dir, 'cert.pem')]
  await writeFile(keyFile, key, { mode: 0o600 })
  await writeFile(certFile, cert, { mode: 0o644 })
  const sql = openAsAdministrator(server.url)
  const [{ folder }] = await sql<[{ folder: string }]>`select current_setting('data_directory') as folder`
  const { uid, gid } = await import('node:fs/promises').then((fs) => fs.stat(folder))
  await chown(keyFile, uid, gid)
  await sql.unsafe(`alter system set ssl_key_file = '${keyFile}'`)
  await sql.unsafe(`alter system set ssl_cert_file = '${certFile}'`)
  await sql.unsafe('alter system set ssl = on')
  await sql`select pg_reload_conf()`
  await sql.end()
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await rm(dir, { recursive: true })
})

test.each<[host: string, parameters: string, outcome: string]>([
  ['localhost', 'sslmode=disable', 'plain'],
  ['localhost', 'sslmode=prefer', 'TLS'],
  ['localhost', 'sslmode=require', 'TLS'],
  ['localhost', 'ssl=true', 'TLS'],
  ['localhost', 'sslmode=verify-full', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ['localhost', 'sslmode=require&channel_binding=require', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ['localhost', 'sslmode=verify-full&sslrootcert=FILE', 'TLS'],
  ['localhost', 'sslrootcert=FILE', 'TLS'],
  ['localhost', 'channel_binding=require&sslrootcert=FILE', 'TLS'],
  ['localhost', 'sslmode=require&sslrootcert=FILE', 'TLS'],
  ['localhost', 'sslmode=verify-full&sslrootcert=FILE&ssl_min_protocol_version=TLSv1.3', 'TLS'],
  ['localhost', 'sslmode=verify-full&sslrootcert=FILE&sslnegotiation=direct', 'TLS'],
  ['127.0.0.1', 'sslmode=verify-full&sslrootcert=FILE', 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ['127.0.0.1', 'sslmode=verify-ca&sslrootcert=FILE', 'TLS'],
])('J1, J3: to %s with %s: %s', async (host, parameters, outcome) => {
  const url = new URL(server.url)
  url.hostname = host
  const sql = openPostgres(`${url.href}?${parameters.replace('FILE', join(dir, 'cert.pem'))}`, {
    schema: 'pg_monitor',
    max: 1,
  })
  const found = await sql<{ ssl: boolean }[]>`select ssl from pg_stat_ssl where pid = pg_backend_pid()`.then(
    ([row]) => (row!.ssl ? 'TLS' : 'plain'),
    (error) => error.code,
  )
  expect(found).toBe(outcome)
  await closePostgres(sql)
})
