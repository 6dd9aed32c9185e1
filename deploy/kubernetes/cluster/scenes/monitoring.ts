/** Prometheus finds every process through the policies, and a provoked alert arrives at the notifier. */
import { join } from 'node:path'
import { sources } from '../cache.ts'
import type { Scene, Stage } from '../stage.ts'
import { upgrade } from './upgrade.ts'

const token = 'cluster-alert-token'
const account = {
  SOLAPI_API_KEY: 'key',
  SOLAPI_API_SECRET: 'secret-of-the-account',
  SOLAPI_FROM: '02-1234-5678',
}
const operator = { phone: '+821012345678', dialled: '01012345678' }
/** Every pod of three services and the pages. */
const targets = 8

export const monitoring: Scene = {
  name: 'monitoring',
  heading: 'Monitoring and alerting',
  async play(stage) {
    const { cluster } = stage
    await startProvider(stage)
    // The notifier accepts alerts with this token only.
    const channels = { ...account, ALERT_TOKEN: token, OPERATOR_PHONE: operator.phone }
    const url = 'http://provider.sms-provider'
    await create(stage, 'secret', 'notifier-channels', ...literals({ ...channels, SOLAPI_URL: url }))
    await stage.kubectl('rollout', 'restart', 'deployment/notifier')
    await stage.kubectl('rollout', 'status', 'deployment/notifier', '--timeout=4m')
    await create(stage, 'secret', 'alert-token', `--from-literal=ALERT_TOKEN=${token}`)
    await create(stage, 'secret', 'alert-mail', '--from-literal=password=none')
    await create(stage, 'configmap', 'alertmanager', '--from-file=deploy/monitoring/alertmanager.yaml')
    await cluster.kubectl('apply', '-f', join(sources, 'scenes/monitoring.yaml'))
    const rules = ['create', 'configmap', 'rules', '--from-file=deploy/monitoring/rules']
    await cluster.kubectl('-n', 'monitoring', ...rules)
    const policy = 'deploy/kubernetes/components/monitoring/network-policy.yaml'
    await stage.kubectl('apply', '-f', policy)
    const started = performance.now()
    const available = ['wait', '--for=condition=available', 'deployment', '--all', '--timeout=2m']
    await cluster.kubectl('-n', 'monitoring', ...available)
    await cluster.eventually('every target', async () => {
      const up = (await query(stage, 'up == 1')).length
      if (up !== targets) throw new Error(`${up} targets are up`)
    })
    stage.took(`${targets} targets are up`, started, 60)

    await stage.kubectl('delete', 'hpa', 'stock')
    await stage.kubectl('scale', 'deployment', 'stock', '--replicas=0')
    const since = performance.now()
    await cluster.eventually('the alert', async () => {
      if (
        (await query(stage, 'ALERTS{alertname="ServiceAbsent",alertstate="firing",service="stock"}'))
          .length === 0
      )
        throw new Error('it does not fire yet')
    })
    stage.took('an absent service fires its alert, after the minute that the rule waits', since, 120)
    await cluster.eventually('the alert at the notifier', async () => {
      const notifier = ['-l', 'app.kubernetes.io/name=notifier', '-c', 'service', '--tail=-1']
      if (!(await stage.kubectl('logs', ...notifier)).includes('The stock service does not answer'))
        throw new Error('not yet')
    })
    stage.took('it is in the log of the notifier', since, 180)
    const sent = await cluster.eventually('the text message', async () => {
      const log = await cluster.kubectl('-n', 'sms-provider', 'logs', 'provider')
      const found = log.split('\n').find((line) => line.includes('ServiceAbsent'))
      if (!found) throw new Error('not yet')
      return JSON.parse(found) as { to: string; text: string }
    })
    stage.took('it is at the provider of text messages', since, 180)
    const arrived = `${sent.to}: ${sent.text}`
    stage.check('the text message', arrived, `to ${operator.dialled}`, sent.to === operator.dialled)
    await stage.kubectl('scale', 'deployment', 'stock', '--replicas=2')
    await upgrade(stage, {})
    // Addresses of a Service that had none follow a moment after its pods are ready.
    await cluster.eventually('stock to answer', async () => {
      const { status } = await stage.call('ingress', 'stock', '/stocks?limit=1')
      if (status !== 200) throw new Error(String(status))
    })
  },
}

/** In a namespace of its own. */
async function startProvider(stage: Stage): Promise<void> {
  const within = (...args: string[]) => stage.cluster.kubectl('-n', 'sms-provider', ...args)
  await stage.cluster.kubectl('apply', '-f', join(sources, 'scenes/sms-provider.yaml'))
  await within('create', 'configmap', 'provider', `--from-file=${join(sources, 'scenes/sms-provider.ts')}`)
  await within('create', 'secret', 'generic', 'account', ...literals(account))
  await within('wait', '--for=condition=ready', 'pod/provider', '--timeout=2m')
}

const literals = (all: Record<string, string>) =>
  Object.entries(all).map(([name, value]) => `--from-literal=${name}=${value}`)

const create = (stage: Stage, kind: 'secret' | 'configmap', name: string, ...from: string[]) =>
  stage.kubectl('create', ...(kind === 'secret' ? ['secret', 'generic'] : [kind]), name, ...from)

async function query(stage: Stage, expression: string): Promise<unknown[]> {
  const service = '/api/v1/namespaces/monitoring/services/prometheus:web/proxy'
  const path = `${service}/api/v1/query?query=${encodeURIComponent(expression)}`
  const answer = JSON.parse(await stage.cluster.kubectl('get', '--raw', path)) as {
    data: { result: unknown[] }
  }
  return answer.data.result
}
