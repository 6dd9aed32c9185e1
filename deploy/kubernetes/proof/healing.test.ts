/** A real process that hangs is killed and replaced as soon as its rendered manifest implies. */
import { expect, test } from 'vitest'
import { Cluster } from './cluster/cluster.ts'
import type { Pod } from './cluster/pod.ts'
import { find, render } from './render.ts'
import { mainOf } from './rules/rule.ts'

/** A second of the manifests lasts 200 ms in this test. */
const secondMs = 200
/** For a busy machine. */
const slackMs = 1_500

test('a hanging process is killed and back within the sum of its probes and grace period; the other one keeps running', {
  timeout: 60_000,
}, async ({ onTestFailed }) => {
  const manifests = await render('overlays/prod')
  await using cluster = await Cluster.start(manifests, { reservation: 0, stock: 2, notifier: 0 }, secondMs)
  onTestFailed(() => console.error(cluster.tail()))
  const [pod, other] = cluster.deployments.stock.pods as [Pod, Pod]
  const { livenessProbe: live, startupProbe: start } = mainOf(find(manifests, 'Deployment', 'stock'))
  const noticedAfter =
    live.failureThreshold * Math.max(live.periodSeconds, live.timeoutSeconds) + live.timeoutSeconds
  const killedAfterMs = (noticedAfter + live.terminationGracePeriodSeconds) * secondMs + slackMs
  const backAfterMs = start.failureThreshold * start.periodSeconds * secondMs

  const hung = pod.pid
  const hungAt = performance.now()
  process.kill(hung, 'SIGSTOP')
  await pod.restarted()
  const killedAt = performance.now()
  expect(killedAt - hungAt).toBeLessThan(killedAfterMs)
  expect(() => process.kill(hung, 0)).toThrow('ESRCH')

  await pod.untilReady()
  expect(performance.now() - killedAt).toBeLessThan(backAfterMs)
  expect(pod.pid).not.toBe(hung)
  expect(other.restarts).toBe(0)
  expect(cluster.faults).toEqual([])
})
