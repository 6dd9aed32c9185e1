import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import selfsigned from 'selfsigned'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Child, startChild } from '../deploy/local/processes/child.ts'
import { freePort } from '../deploy/local/processes/free-port.ts'
import { findProgram } from '../deploy/local/processes/program.ts'
import { eventually } from '../tests/doubles/eventually.ts'
import { openRedis } from './redis.ts'
import { onUnreachable } from './redis-errors.ts'
import { redisAddress } from './redis-url.ts'
import { UrlError } from './url.ts'

const one = { cluster: false, nodes: [{ host: 'h', port: 6379 }], connection: {} }

test.each<[string, object]>([
  ['redis://h', one],
  ['REDIS://h:6379/0', one],
  ['redis://h/3', { ...one, connection: { db: 3 } }],
  ['redis://:p@h', { ...one, connection: { password: 'p' } }],
  ['redis://u:pa:ss%40@h', { ...one, connection: { username: 'u', password: 'pa:ss@' } }],
  ['redis://h?family=6', { ...one, connection: { family: 6 } }],
  ['redis://[::1]:6', { ...one, nodes: [{ host: '::1', port: 6 }] }],
  ['rediss://h', { ...one, connection: { tls: { servername: 'h' } } }],
  [
    'rediss://127.0.0.1',
    { cluster: false, nodes: [{ host: '127.0.0.1', port: 6379 }], connection: { tls: {} } },
  ],
  [
    'rediss+cluster://u:pa:ss@a:1, [::1]:2,c',
    {
      cluster: true,
      nodes: [
        { host: 'a', port: 1 },
        { host: '::1', port: 2 },
        { host: 'c', port: 6379 },
      ],
      connection: { username: 'u', password: 'pa:ss', tls: {} },
    },
  ],
])('%s is understood', (url, address) => {
  expect(redisAddress(url)).toEqual(address)
})

test.each<[string, string]>([
  ['http://:SECRET@h', 'must be a URL like'],
  ['h:6379', 'must be a URL like'],
  ['redis+sentinel://:SECRET@h', 'must be a URL like'],
  ['redis://', 'names no host'],
  ['redis:///run/redis.sock', 'names no host'],
  ['redis://:SEC#RET@h', 'must not contain #'],
  ['redis+cluster://:SEC/RET@h', 'has an @ after a /'],
  ['redis+cluster://:SEC%RET@h', 'starts no escape'],
  ['redis+cluster://:SECRET@a:1,b:x', 'has a port'],
  ['redis+cluster://:SECRET@a:1,', 'empty host'],
  ['redis+cluster://:SECRET@::1', 'brackets'],
  ['redis+cluster://:SECRET@a/1', 'only database 0'],
  ['redis+cluster://:SECRET@a?x=1', 'unknown parameter: x'],
  ['redis://:SECRET@a,b', 'redis+cluster://'],
  ['redis://:SECRET@a/books', 'not the number of a database'],
  ['redis://:SECRET@a?family=5', 'family'],
])('%s is refused with advice, and not repeated', (url, message) => {
  let error: unknown
  try {
    redisAddress(url)
  } catch (thrown) {
    error = thrown
  }
  expect(error).toBeInstanceOf(UrlError)
  expect((error as Error).message).toContain(message)
  expect((error as Error).stack).not.toMatch(/SEC.?RET/)
})

/** A TLS cluster of one node, whose certificate has only the host name. */
let dir: string
let node: Child
let port: number
const password = 'pa:ss'
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'redis-tls-'))
  const { private: key, cert } = await selfsigned.generate([{ name: 'commonName', value: 'localhost' }], {
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] },
    ],
  })
  await writeFile(join(dir, 'key.pem'), key)
  await writeFile(join(dir, 'cert.pem'), cert)
  port = await freePort()
  const args = `--port 0 --tls-port ${port} --tls-cert-file cert.pem --tls-key-file key.pem --tls-ca-cert-file cert.pem
    --tls-auth-clients no --tls-cluster yes --cluster-enabled yes --cluster-port ${await freePort()}
    --cluster-announce-hostname localhost --cluster-preferred-endpoint-type hostname --bind 127.0.0.1
    --requirepass ${password} --appendonly no`
  node = await startChild({
    name: 'Redis',
    command: findProgram('redis-server', 'valkey-server')!,
    args: [...args.trim().split(/\s+/), '--save', ''],
    cwd: dir,
    stopSignal: 'SIGTERM',
  })
  await node.line(/Ready to accept connections/, 10_000)
  const admin = new Redis({ port, host: 'localhost', password, tls: { ca: cert } })
  await admin.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383)
  await eventually(async () => String(await admin.call('CLUSTER', 'INFO')).includes('cluster_state:ok'))
  admin.disconnect()
})
afterAll(async () => {
  await node.stop()
  await rm(dir, { recursive: true })
})

test('nodes of a TLS cluster are verified by name, and a password may contain a colon', async () => {
  const { stdout } = await run(`rediss+cluster://:${password}@localhost:${port}`, {
    NODE_EXTRA_CA_CERTS: join(dir, 'cert.pem'),
  })
  expect(stdout).toContain('ready')
})

test.each<[what: string, url: () => string, reason: RegExp]>([
  [
    'a certificate that is not trusted',
    () => `rediss+cluster://:${password}@localhost:${port}`,
    /self-signed/,
  ],
  ['TLS that is not asked for', () => `redis+cluster://:${password}@127.0.0.1:${port}`, /reset|closed/i],
])('the reason of a node is reported: %s', async (_, url, reason) => {
  const client = openRedis(url(), 'test')
  const given = await new Promise((resolve) => onUnreachable(client, url(), resolve))
  client.disconnect()
  expect(given).toMatch(reason)
})

async function run(url: string, env: Record<string, string>) {
  const script = `import { openRedis, untilReady } from './streams/redis.ts'
    const client = openRedis(process.argv[1], 'test'); client.on('error', (it) => console.log(it))
    await untilReady(client); console.log(client.status); client.disconnect()`
  return await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, url], { env })
}
