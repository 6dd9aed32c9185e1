/** k6 runs in the cluster, and the autoscaler adds pods and removes them again. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { root } from '../../../local/root.ts'
import { run } from '../commands.ts'
import { callerImage } from '../images.ts'
import { namespace, type Scene, type Stage } from '../stage.ts'
import { upgrade } from './upgrade.ts'

/** A laptop reaches no 700m in each of two pods beside stores and k6, and the test does not wait five minutes. */
const target = '40m'
const patience = [
  { op: 'replace', path: '/spec/metrics/0/resource/target/averageValue', value: target },
  { op: 'replace', path: '/spec/behavior/scaleDown/stabilizationWindowSeconds', value: 30 },
  { op: 'replace', path: '/spec/behavior/scaleDown/policies/0/periodSeconds', value: 15 },
]
/** `load/k6/autoscale.ts`, shortened: 15 s of few arrivals, a minute of many, and few again. */
const env = { RATE: '250', SECONDS: '180' }
/** k6 receives its books first, which may take a minute. */
const outSeconds = 180

export const autoscaling: Scene = {
  name: 'autoscaling',
  heading: 'Autoscaling, with k6 in the cluster',
  needs: 'k6',
  async play(stage) {
    const { cluster } = stage
    await stage.kubectl('patch', 'hpa', 'reservation', '--type=json', '-p', JSON.stringify(patience))
    await cluster.eventually('the metrics API', async () => {
      const used = await stage.kubectl('get', 'hpa', 'reservation', '-o', 'jsonpath={.status.currentMetrics}')
      if (!used.includes('averageValue')) throw new Error('no metrics yet')
    })
    await cluster.kubectl(
      ...['apply', '-n', namespace, '-f', 'deploy/kubernetes/components/load/network-policy.yaml'],
    )
    try {
      await uploadScript(stage)
      const since = performance.now()
      await cluster.apply(k6Job())
      await cluster.eventually(
        'more pods',
        async () => {
          if ((await replicas(stage)) <= 2) throw new Error('still two')
        },
        outSeconds,
      )
      stage.took(`more than two pods of reservation, at ${target} CPU each`, since, outSeconds)
      let most = 0
      while (!(await isOver(stage))) {
        most = Math.max(most, await replicas(stage))
        await delay(1_000)
      }
      stage.check('pods at most', most, '3 or more', most >= 3)
      const quiet = performance.now()
      await cluster.eventually('two pods', async () => {
        if ((await replicas(stage)) !== 2) throw new Error(`${await replicas(stage)} pods`)
      })
      stage.took('two pods again, after k6', quiet, 120)
      const log = await stage.kubectl('logs', 'job/k6', '--tail=60')
      // Its thresholds of latency depend on the machine. These do not.
      const truths = ['forgotten', 'oversold', 'unaudited', 'undecided']
      const broken = truths.filter((it) => !new RegExp(`✓ ${it} `).test(log))
      if (broken.length > 0) console.log(log)
      stage.check(
        `thresholds of k6: ${truths.join(', ')}`,
        broken.join() || 'hold',
        'hold',
        broken.length === 0,
      )
    } catch (error) {
      console.log(await stage.kubectl('logs', 'job/k6', '--tail=20'))
      throw error
    } finally {
      await stage.kubectl('delete', 'job', 'k6', '--ignore-not-found')
      await upgrade(stage, {})
    }
  },
}

const replicas = async (stage: Stage) =>
  Number(await stage.kubectl('get', 'deployment', 'reservation', '-o', 'jsonpath={.spec.replicas}'))

async function isOver(stage: Stage): Promise<boolean> {
  const status = await stage.kubectl('get', 'job', 'k6', '-o', 'jsonpath={.status.conditions[*].type}')
  return /Complete|Failed/.test(status)
}

/** As `components/load` describes it. */
async function uploadScript(stage: Stage): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'bookreservation-k6-'))
  try {
    const archive = join(dir, 'script.tar')
    // An archive keeps the options that it was made with.
    const settings = Object.entries(env).flatMap(([name, value]) => ['-e', `${name}=${value}`])
    await run(stage.extra('k6'), ['archive', 'load/k6/autoscale.ts', '-O', archive, ...settings], {
      cwd: root,
    })
    await stage.kubectl('create', 'configmap', 'load-script', `--from-file=script.tar=${archive}`)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** A runner as the k6-operator would start it. */
const k6Job = () => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'k6', namespace },
  spec: {
    backoffLimit: 0,
    template: {
      metadata: { labels: { app: 'k6' } },
      spec: {
        restartPolicy: 'Never',
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, runAsUser: 12345, seccompProfile: { type: 'RuntimeDefault' } },
        containers: [
          {
            name: 'k6',
            image: callerImage,
            imagePullPolicy: 'Never',
            command: ['/k6', 'run', '/script/script.tar'],
            env: [
              { name: 'RESERVATION_URL', value: 'http://reservation:8081' },
              { name: 'STOCK_URL', value: 'http://stock:8082' },
              { name: 'HOME', value: '/tmp' },
              { name: 'K6_NO_USAGE_REPORT', value: 'true' },
            ],
            workingDir: '/tmp',
            securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
            volumeMounts: [
              { name: 'script', mountPath: '/script' },
              { name: 'tmp', mountPath: '/tmp' },
            ],
          },
        ],
        volumes: [
          { name: 'script', configMap: { name: 'load-script' } },
          { name: 'tmp', emptyDir: {} },
        ],
      },
    },
  },
})
