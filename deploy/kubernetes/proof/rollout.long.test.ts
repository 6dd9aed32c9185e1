/** Real processes, run, scaled and replaced as the rendered manifests say, under load that checks every answer. */
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type ServiceName, serviceNames } from '../../../platform/config.ts'
import { eventually, range } from '../../../tests/doubles/eventually.ts'
import { receive } from '../../../tests/harness/acts.ts'
import { audit } from '../../../tests/harness/audit.ts'
import { Cluster } from './cluster/cluster.ts'
import { customers } from './cluster/customers.ts'
import type { Deployment } from './cluster/deployment.ts'
import { find, type Manifest, render } from './render.ts'
import { leadsTo, routesOf } from './rules/network.ts'
import { settingsOf } from './rules/rule.ts'

const requestsMin = 10_000

let manifests: Manifest[]
let cluster: Cluster
let faces: Awaited<ReturnType<Cluster['faces']>>
beforeAll(async () => {
  manifests = await render('overlays/dev')
  const { minReplicas } = find(manifests, 'HorizontalPodAutoscaler', 'reservation').spec
  const replicas = { reservation: minReplicas, stock: 1, notifier: 1 }
  cluster = await Cluster.start(manifests, replicas)
  faces = await cluster.faces()
})
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.error(cluster.tail())
})
afterAll(() => cluster?.[Symbol.asyncDispose]())

test('the ingress routes every path of customers and staff to its service, and no path of operators to one', () => {
  const paths = (service: ServiceName) =>
    Object.keys(faces[service].contract.document.paths).filter(
      (path) => !/^\/(livez|readyz|startupz)$/.test(path),
    )
  const routes = routesOf(manifests)
  const owner = (path: string) => leadsTo(routes, path)

  for (const service of ['reservation', 'stock'] as const)
    for (const path of paths(service)) expect(owner(path), path).toBe(service)
  expect(owner('/problems/not-found')).toBe('reservation')
  const operators = [
    ...paths('notifier'),
    '/metrics',
    '/livez',
    '/readyz',
    '/startupz',
    '/docs',
    '/openapi.json',
  ]
  // The pages have none of these.
  for (const path of [...operators, '/']) expect(owner(path), path).toBe('web')
})

test('every pod is replaced, and stock is scaled from one to four and back: no request is dropped, nothing is lost', {
  timeout: 120_000,
}, async () => {
  const settings = settingsOf(manifests)
  const { stock, reservation, notifier } = cluster.deployments
  const received = Object.fromEntries(range(24).map((book) => [`book-${book}`, 100_000]))
  await Promise.all(Object.entries(received).map(([bookid, qty]) => receive(faces, bookid, qty)))

  const closing = new AbortController()
  const load = customers(cluster, Object.keys(received), { signal: closing.signal, requestsMin })
  const before = new Set(podsOf(cluster))
  const rebalanced = (workers: number) =>
    eventually(() => sharedAmong(cluster, workers, Number(settings.PARTITIONS)), {
      timeoutMs: Number(settings.LEASE_TTL_MS),
      message: `The partitions are not shared among ${workers}`,
    })
  const replacedAndScaled = async () => {
    // The only pod is not removed before another one is ready.
    await stock.rollout()
    await stock.scale(4)
    await stock.gone()
    await rebalanced(4)
    await stock.scale(1)
    await stock.gone()
    await rebalanced(1)
  }
  const replaced = async (deployment: Deployment) => {
    await deployment.rollout()
    await deployment.gone()
  }
  await Promise.all([replacedAndScaled(), replaced(reservation), replaced(notifier)])
  expect(podsOf(cluster).filter((pod) => before.has(pod))).toEqual([])
  closing.abort()
  const { requested, dropped, accepted } = await load

  expect(dropped).toEqual({})
  expect(requested).toBeGreaterThanOrEqual(requestsMin)
  await audit(faces, { received, accepted })
  expect(cluster.faults).toEqual([])
})

test('KEDA finds the lag of every partition, and scales to at most as many workers as partitions', async () => {
  const prod = await render('overlays/prod')
  const { REDIS_URL, REDIS_PREFIX } = cluster.stores
  const { PARTITIONS, REDIS_PREFIX: theirs } = settingsOf(prod)
  const redis = new Redis(REDIS_URL)
  try {
    for (const service of ['stock', 'notifier']) {
      const { triggers, advanced } = find(prod, 'ScaledObject', service).spec
      expect(triggers).toHaveLength(Number(PARTITIONS))
      for (const { metadata } of triggers) {
        const stream = metadata.stream.replace(`{${theirs}:`, `{${REDIS_PREFIX}:`)
        const groups = (await redis.xinfo('GROUPS', stream)) as unknown[][]
        const group = groups.find((it) => it[it.indexOf('name') + 1] === metadata.consumerGroup)
        expect(group?.[group.indexOf('lag') + 1], stream).toBeTypeOf('number')
      }
      const { formula, target } = advanced.scalingModifiers
      const names = triggers.map(({ name }: { name: string }) => name)
      // KEDA's formulas and JavaScript agree on sums, decimals and `min`.
      const evaluate = new Function('min', ...names, `return ${formula}`)
      const workers = (lag: number) => evaluate(Math.min, ...names.map(() => lag)) / Number(target)
      expect(workers(0)).toBe(0)
      expect(workers(Number(target) / 2)).toBe(Number(PARTITIONS) / 2)
      expect(workers(1_000_000)).toBe(Number(PARTITIONS))
    }
  } finally {
    redis.disconnect()
  }
})

const podsOf = (cluster: Cluster) => serviceNames.flatMap((service) => cluster.deployments[service].pods)

/** Whether all partitions are leased, evenly, by `workers` workers. */
async function sharedAmong(cluster: Cluster, workers: number, partitions: number): Promise<true> {
  const owners = await cluster.sql<{ count: number }[]>`
    select count(*)::int as count from stock.mailbox where lease_until > clock_timestamp() group by owner`
  expect(owners.map(({ count }) => count)).toEqual(range(workers).map(() => partitions / workers))
  return true
}
