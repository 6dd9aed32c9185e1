/** A Redis Cluster, for tests. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { startRedis } from '../../deploy/local/servers/redis.ts'
import type { Server } from '../../deploy/local/servers/server.ts'

export type RedisCluster = {
  /** `redis+cluster://host:port,host:port,…` */
  url: string
  nodes: Server[]
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const slots = 16_384
const formationMaxMs = 20_000

/**
 * @param dirs one data folder per node. @param ports one per node; 0 or undefined is any free one.
 * @param replicas how many of the nodes, the last ones, are replicas: the first of them of the first master, and so on.
 */
export async function startRedisCluster({
  dirs,
  ports = [],
  replicas = 0,
}: {
  dirs: string[]
  ports?: number[]
  replicas?: number
}): Promise<RedisCluster> {
  const nodes = await Promise.all(dirs.map((dataDir, i) => startNode(dataDir, ports[i] ?? 0)))
  const stop = async () => void (await Promise.all(nodes.map((node) => node.stop())))
  const clients = nodes.map(({ port }) => new Redis(port, '127.0.0.1'))
  for (const client of clients) client.on('error', () => {})
  try {
    await form(clients, nodes, replicas)
  } catch (error) {
    await stop()
    throw error
  } finally {
    for (const client of clients) client.disconnect()
  }
  const hosts = nodes.map(({ port }) => `127.0.0.1:${port}`)
  return { url: `redis+cluster://${hosts.join(',')}`, nodes, stop, [Symbol.asyncDispose]: stop }
}

const startNode = (dataDir: string, port: number) => startRedis({ dataDir, port, cluster: true })

/** Gives each master its slots and each node its own epoch, introduces them, and waits until all agree. */
async function form(clients: Redis[], nodes: Server[], replicas: number): Promise<void> {
  const masters = clients.slice(0, clients.length - replicas)
  const share = Math.ceil(slots / masters.length)
  const [first, ...others] = clients as [Redis, ...Redis[]]
  for (const [i, client] of masters.entries()) {
    const known = await info(client)
    if (known.cluster_slots_assigned !== '0') continue
    await client.call('CLUSTER', 'ADDSLOTSRANGE', i * share, Math.min(slots, (i + 1) * share) - 1)
    await client.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1)
  }
  const bus = String((await first.call('CLUSTER', 'NODES')) as string).match(
    /@(\d{1,5})\S{0,300} myself/,
  )![1]!
  await Promise.all(others.map((client) => client.call('CLUSTER', 'MEET', '127.0.0.1', nodes[0]!.port, bus)))
  await until(() => agreed(clients))
  for (const [i, replica] of clients.slice(masters.length).entries()) {
    await replica.call('CLUSTER', 'REPLICATE', (await masters[i]!.call('CLUSTER', 'MYID')) as string)
    await until(async () => (await replica.info('replication')).includes('master_link_status:up'))
  }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + formationMaxMs
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`Redis Cluster has not formed after ${formationMaxMs} ms`)
    await sleep(50)
  }
}

async function agreed(clients: Redis[]): Promise<boolean> {
  const views = await Promise.all(clients.map(info))
  return views.every(
    (view) => view.cluster_state === 'ok' && Number(view.cluster_known_nodes) === clients.length,
  )
}

async function info(client: Redis): Promise<Record<string, string>> {
  const text = (await client.call('CLUSTER', 'INFO')) as string
  return Object.fromEntries(
    text
      .trim()
      .split(/\r?\n/)
      .map((line) => line.split(':') as [string, string]),
  )
}
