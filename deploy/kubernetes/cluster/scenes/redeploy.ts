/** Every Deployment is replaced while customers ask: restarted, and by a new version beside the old one. */

import type { Scene } from '../stage.ts'
import { checkSpread, deployments } from './deployment.ts'

const least = 20_000

export const redeploy: Scene = {
  name: 'redeploy',
  heading: 'Zero-downtime redeploy',
  async play(stage) {
    const before = await stage.reservations()
    const leave = await stage.customers(await stage.stockBooks(), 2)
    for (const name of deployments) {
      const since = performance.now()
      await stage.kubectl('rollout', 'restart', `deployment/${name}`)
      await stage.kubectl('rollout', 'status', `deployment/${name}`, '--timeout=4m')
      stage.took(`${name}: both pods replaced`, since, 60)
    }
    await checkSpread(stage)
    const tally = await leave()
    stage.checkTally(tally, least)
    const after = await stage.cluster.eventually('every reservation to be decided', async () => {
      const found = await stage.reservations()
      if (found.Requested) throw new Error(`${found.Requested} are not decided`)
      return found
    })
    const sum = (all: Record<string, number>) => Object.values(all).reduce((a, b) => a + b, 0)
    const kept = sum(after) - sum(before)
    stage.check(
      'reservations in Postgres, of those accepted',
      `${kept} of ${tally.accepted}`,
      'all',
      kept === tally.accepted,
    )
  },
}
