/** `overlays/dev` on an empty cluster, by the commands of deploy/README.md. */
import type { Scene, Stage } from '../stage.ts'

type Pod = {
  metadata: { name: string; labels: Record<string, string>; deletionTimestamp?: string }
  spec: { nodeName: string }
  status: { phase: string; containerStatuses?: { restartCount: number }[] }
}

export const overlay = 'deploy/kubernetes/overlays/dev'

export const deployment: Scene = {
  name: 'deployment',
  heading: 'First deployment',
  async play(stage) {
    const { cluster } = stage
    const since = performance.now()
    await cluster.kubectl('apply', '-k', overlay)
    await stage.kubectl('wait', '--for=condition=complete', 'job/migrate', '--timeout=5m')
    stage.took('migrated', since, 60)
    await stage.kubectl('wait', '--for=condition=available', 'deployment', '--all', '--timeout=5m')
    stage.took('everything available', since, 60)
    // A Deployment begins with one pod; its autoscaler, which sets the number, adds the second within 15 s.
    await stage.cluster.eventually('two pods of each', async () => {
      for (const name of deployments) {
        const ready = ['deployment', name, '-o', 'jsonpath={.status.readyReplicas}']
        if (Number(await stage.kubectl('get', ...ready)) < 2) throw new Error(`${name} has one pod`)
      }
    })
    stage.took('two pods of each ready', since, 60)
    const { items } = await stage.json<{ items: Pod[] }>('pods')
    const failed = items.filter(({ status }) => status.phase === 'Failed')
    stage.check('pods that failed meanwhile', failed.length, '0', failed.length === 0)
    await checkSpread(stage)
  },
}

export const deployments = ['reservation', 'stock', 'notifier', 'web'] as const

/** A row for the Deployments whose pods share a node. */
export async function checkSpread(stage: Stage): Promise<void> {
  const crowded = await crowdedDeployments(stage)
  const measured = crowded.join(', ') || 'none'
  stage.check('Deployments with all pods on one node', measured, 'none', crowded.length === 0)
}

/** @returns those whose pods are all on one node. Pods that are about to go do not count. */
export async function crowdedDeployments(stage: Stage): Promise<string[]> {
  const { items } = await stage.json<{ items: Pod[] }>('pods')
  const staying = items.filter(({ metadata }) => !metadata.deletionTimestamp)
  return deployments.filter((name) => nodesOf(staying, name).size < 2)
}

const nodesOf = (pods: Pod[], name: string) =>
  new Set(
    pods
      .filter(({ metadata }) => metadata.labels['app.kubernetes.io/name'] === name)
      .map(({ spec }) => spec.nodeName),
  )
