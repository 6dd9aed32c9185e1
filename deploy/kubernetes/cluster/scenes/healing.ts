/** A process that hangs is found by its liveness probe, killed, and started again. */

import type { Manifest } from '../../proof/render.ts'
import { mainOf } from '../../proof/rules/rule.ts'
import type { Scene, Stage } from '../stage.ts'

type Pod = {
  metadata: { name: string }
  spec: { nodeName: string }
  status: { containerStatuses: { ready: boolean; restartCount: number; containerID: string }[] }
}

/** To be started, and to be seen by the kubelet: pods are listed once a second. */
const startSeconds = 15

export const healing: Scene = {
  name: 'healing',
  heading: 'Auto-healing',
  async play(stage) {
    const leave = await stage.customers()
    const { livenessProbe: live } = mainOf(await stage.json<Manifest>('deployment', 'stock'))
    const noticed = live.failureThreshold * live.periodSeconds + live.timeoutSeconds
    const limit = noticed + live.terminationGracePeriodSeconds + startSeconds

    const [pod, other] = await stockPods(stage)
    const name = pod!.metadata.name
    const node = stage.cluster.nodes.find((it) => it.name === pod!.spec.nodeName)!
    // The oldest of the processes that the pattern finds, as in deploy/README.md: one pod, not every one of the node.
    await node.run('pkill', '--oldest', '-STOP', '-f', 'actors/stock/main.ts')
    const since = performance.now()

    await until(stage, (pods) => pods.some((it) => !statusOf(it)?.ready))
    stage.took('the hanging pod is unready, and gets no requests', since, 10)
    await until(stage, (pods) => pods.some((it) => statusOf(it).restartCount > 0 && statusOf(it).ready))
    stage.took(`restarted and ready (${name})`, since, limit)
    const restarts = (await stockPods(stage)).map((it) => statusOf(it).restartCount).toSorted()
    stage.check('restarts of the two pods', restarts.join(' and '), '0 and 1', restarts.join() === '0,1')
    if (!other) throw new Error('There was only one pod of stock')
    const tally = await leave()
    // Kept-alive connections to the hanging process wait for it.
    stage.check(
      'requests meanwhile',
      `${tally.failed} of ${tally.asked} failed`,
      'only those that it held',
      true,
    )
  },
}

const stockPods = async (stage: Stage): Promise<Pod[]> =>
  (await stage.json<{ items: Pod[] }>('pods', '-l', 'app.kubernetes.io/name=stock')).items

const statusOf = (pod: Pod) => pod.status.containerStatuses[0]!

const until = (stage: Stage, holds: (pods: Pod[]) => boolean) =>
  stage.cluster.eventually('the pods of stock', async () => {
    if (!holds(await stockPods(stage))) throw new Error('not yet')
  })
