/** Every Deployment is replaced while customers ask: restarted, and by a new version beside the old one. */
import { next } from '../images.ts'
import type { Scene, Stage } from '../stage.ts'
import { checkSpread, deployments } from './deployment.ts'
import { upgrade } from './upgrade.ts'

const least = 20_000

export const redeploy: Scene = {
  name: 'redeploy',
  heading: 'Zero-downtime redeploy',
  async play(stage) {
    await whileCustomersAsk(stage, async () => {
      for (const name of deployments) {
        const since = performance.now()
        await stage.kubectl('rollout', 'restart', `deployment/${name}`)
        await stage.kubectl('rollout', 'status', `deployment/${name}`, '--timeout=4m')
        stage.took(`${name}: both pods replaced`, since, 60)
      }
      await checkSpread(stage)
    })
    await whileCustomersAsk(stage, async () => {
      const upgraded = performance.now()
      await upgrade(stage, { images: [next] })
      stage.took('a new version, with a migration', upgraded, 180)
      await checkVersion(stage, 'next')
      const undone = performance.now()
      for (const name of deployments) {
        await stage.kubectl('rollout', 'undo', `deployment/${name}`)
        await stage.kubectl('rollout', 'status', `deployment/${name}`, '--timeout=4m')
      }
      stage.took('the old version again, after that migration', undone, 180)
      await checkVersion(stage, 'dev')
    })
    await upgrade(stage, {})
  },
}

/** Rows for their requests, and for what became of their reservations. */
async function whileCustomersAsk(stage: Stage, act: () => Promise<void>): Promise<void> {
  const before = await stage.reservations()
  const leave = await stage.customers(2, least)
  await act()
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
}

type Pod = { metadata: { deletionTimestamp?: string }; spec: { containers: { image: string }[] } }

/** A row for the images of the pods of the four Deployments, without those that are about to go. */
async function checkVersion(stage: Stage, tag: string): Promise<void> {
  const names = `app.kubernetes.io/name in (${deployments.join()})`
  const { items } = await stage.json<{ items: Pod[] }>('pods', '-l', names)
  const staying = items.filter(({ metadata }) => !metadata.deletionTimestamp)
  const tags = staying.map(({ spec }) => spec.containers[0]!.image.split(':').at(-1))
  const found = [...new Set(tags)].join(', ')
  stage.check('version of every pod', found, tag, found === tag)
}
