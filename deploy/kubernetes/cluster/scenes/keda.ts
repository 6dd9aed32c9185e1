/** KEDA adds notifiers while their streams have a lag, and removes them again, by the ScaledObject of `components/autoscaling-keda`. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { root } from '../../../local/root.ts'
import { namespace, type Scene, type Stage } from '../stage.ts'
import { overlay } from './deployment.ts'
import { upgrade, withOverlay } from './upgrade.ts'

type ScaledObject = {
  kind: string
  metadata: { name: string }
  spec: {
    maxReplicaCount: number
    advanced: { horizontalPodAutoscalerConfig: { behavior: { scaleDown: ScaleDown } } }
    triggers: { metadata: Record<string, string> }[]
  }
}
type ScaleDown = { stabilizationWindowSeconds: number; policies: { periodSeconds: number }[] }

const most = 4
/** Two of five make a reservation. */
const requests = 10_000
const outSeconds = 90
const inSeconds = 180

export const keda: Scene = {
  name: 'keda',
  heading: 'Autoscaling by the lag of streams, with KEDA',
  needs: 'keda',
  async play(stage) {
    const { cluster } = stage
    await installKeda(stage)
    await letKedaIntoRedis(stage)
    await stage.kubectl('delete', 'hpa', 'notifier', '--ignore-not-found')
    try {
      await cluster.apply(await scaledNotifier(stage))
      await cluster.eventually('the autoscaler of KEDA', async () => {
        const active = 'jsonpath={.status.conditions[?(@.type=="ScalingActive")].status}'
        if ((await stage.kubectl('get', 'hpa', 'keda-hpa-notifier', '-o', active)) !== 'True')
          throw new Error('it has no metric yet')
      })
      const since = performance.now()
      await redis(stage, 'acl', 'setuser', 'notifier', 'off')
      await redis(stage, 'client', 'kill', 'user', 'notifier')
      const leave = await stage.customers(1, requests)
      await leave()
      const lag = await lagOf(stage)
      stage.check('lag of the notifier, which Redis refuses', lag, '800 or more', lag >= most * 200)
      await cluster.eventually('more notifiers', () => hasReplicas(stage, most), outSeconds)
      stage.took(`${most} notifiers, each for a lag of 200, since it began`, since, outSeconds)
      await redis(stage, 'acl', 'setuser', 'notifier', 'on')
      const back = performance.now()
      await cluster.eventually('no lag', async () => {
        if ((await lagOf(stage)) > 0) throw new Error('still some')
      })
      stage.took('no lag, once Redis accepts it again', back, 60)
      await cluster.eventually('two notifiers', () => hasReplicas(stage, 2), inSeconds)
      stage.took('two notifiers again', back, inSeconds)
    } finally {
      await redis(stage, 'acl', 'setuser', 'notifier', 'on')
      // While KEDA runs, because it must agree.
      await stage.kubectl(
        'delete',
        'scaledobject/notifier',
        'triggerauthentication/redis',
        '--ignore-not-found',
      )
      await cluster.kubectl('delete', '-k', stage.extra('keda'), '--ignore-not-found')
      await upgrade(stage, {})
    }
  },
}

async function installKeda(stage: Stage): Promise<void> {
  const since = performance.now()
  // Its definitions are too large for the annotation of a client-side apply.
  await stage.cluster.kubectl('apply', '--server-side', '-k', stage.extra('keda'))
  const available = ['wait', '--for=condition=available', 'deployment', '--all', '--timeout=5m']
  await stage.cluster.kubectl('-n', 'keda', ...available)
  stage.took('KEDA is available', since, 300)
}

const passwordOfRedis = async () =>
  (await readFile(join(root, overlay, 'insecure-dev-secrets/redis.env'), 'utf8')).match(
    /^REDIS_ADMIN_PASSWORD=(.+)$/m,
  )![1]!

/** `components/autoscaling-keda` is made for managed stores, with TLS and the credentials of the service. */
async function letKedaIntoRedis(stage: Stage): Promise<void> {
  const meta = { name: 'redis', namespace }
  const keys = {
    address: 'redis.bookreservation:6379',
    username: 'default',
    password: await passwordOfRedis(),
  }
  const from = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'keda' } } }
  await stage.cluster.apply(
    { apiVersion: 'v1', kind: 'Secret', metadata: { ...meta, name: 'keda-redis' }, stringData: keys },
    {
      apiVersion: 'keda.sh/v1alpha1',
      kind: 'TriggerAuthentication',
      metadata: meta,
      spec: {
        secretTargetRef: Object.keys(keys).map((key) => ({ parameter: key, name: 'keda-redis', key })),
      },
    },
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { ...meta, name: 'redis-from-keda' },
      spec: {
        podSelector: { matchLabels: { 'app.kubernetes.io/name': 'redis' } },
        policyTypes: ['Ingress'],
        ingress: [{ from: [from], ports: [{ port: 6379 }] }],
      },
    },
  )
}

/** With fewer pods than a laptop has room for, and without the minutes of patience. */
async function scaledNotifier(stage: Stage): Promise<ScaledObject> {
  const components = ['deploy/kubernetes/components/autoscaling-keda']
  const rendered = await withOverlay(
    { resources: ['deploy/kubernetes/base'], components, namespace },
    (dir) => stage.cluster.kubectl('kustomize', dir),
  )
  const all = parseAllDocuments(rendered).map((it) => it.toJS() as ScaledObject)
  const it = all.find(({ kind, metadata }) => kind === 'ScaledObject' && metadata.name === 'notifier')!
  it.spec.maxReplicaCount = most
  const { scaleDown } = it.spec.advanced.horizontalPodAutoscalerConfig.behavior
  scaleDown.stabilizationWindowSeconds = 30
  scaleDown.policies[0]!.periodSeconds = 15
  for (const { metadata } of it.spec.triggers) metadata.enableTLS = 'false'
  return it
}

const redis = async (stage: Stage, ...command: string[]) => {
  const client = ['redis-cli', '--no-auth-warning', '-a', await passwordOfRedis()]
  return await stage.kubectl('exec', 'redis-0', '-c', 'redis', '--', ...client, ...command)
}

/** Of the notifier, in all of its streams. */
async function lagOf(stage: Stage): Promise<number> {
  const sum = `
    local sum = 0
    for _, stream in ipairs(redis.call('keys', '*:events')) do
      for _, group in ipairs(redis.call('xinfo', 'groups', stream)) do
        local is = {}
        for i = 1, #group, 2 do is[group[i]] = group[i + 1] end
        if is.name == 'notifier' then sum = sum + (is.lag or 0) end
      end
    end
    return sum`
  return Number(await redis(stage, 'eval', sum, '0'))
}

async function hasReplicas(stage: Stage, wanted: number): Promise<void> {
  const found = await stage.kubectl('get', 'deployment', 'notifier', '-o', 'jsonpath={.spec.replicas}')
  if (Number(found) !== wanted) throw new Error(`${found} notifiers`)
}
