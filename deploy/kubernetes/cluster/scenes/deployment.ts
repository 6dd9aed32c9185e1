/** `overlays/dev` on an empty cluster, by the commands of deploy/README.md. */
import type { Scene } from '../stage.ts'

type Pod = {
  metadata: { name: string; labels: Record<string, string> }
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
    const { items } = await stage.json<{ items: Pod[] }>('pods')
    const failed = items.filter(({ status }) => status.phase === 'Failed')
    stage.check('pods that failed meanwhile', failed.length, '0', failed.length === 0)
    const alone = ['reservation', 'stock', 'notifier', 'web'].filter((name) => nodesOf(items, name).size < 2)
    stage.check('Deployments with both pods on one node', alone.join() || 'none', 'none', alone.length === 0)
  },
}

const nodesOf = (pods: Pod[], name: string) =>
  new Set(
    pods
      .filter(({ metadata }) => metadata.labels['app.kubernetes.io/name'] === name)
      .map(({ spec }) => spec.nodeName),
  )
