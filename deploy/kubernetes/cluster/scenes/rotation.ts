/** A changed setting, and a new password of the database, without a failed request. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { root } from '../../../local/root.ts'
import { cache } from '../cache.ts'
import type { Scene, Stage } from '../stage.ts'
import { deployments, overlay } from './deployment.ts'

const password = 'rotated-stock-database'

export const rotation: Scene = {
  name: 'rotation',
  heading: 'ConfigMap and Secret',
  async play(stage) {
    const leave = await stage.customers(await stage.stockBooks())
    const since = performance.now()
    await upgrade(stage, {
      configMapGenerator: [{ name: 'settings', behavior: 'merge', literals: ['LOG_LEVEL=info'] }],
      secretGenerator: [
        { name: 'migrate-stores', behavior: 'merge', literals: [`STOCK_DATABASE_PASSWORD=${password}`] },
        {
          name: 'stock-stores',
          behavior: 'merge',
          literals: [`DATABASE_URL=postgres://stock:${password}@postgres:5432/bookreservation`],
        },
      ],
    })
    stage.took('rolled out', since, 120)
    const print = 'console.log(process.env.LOG_LEVEL, new URL(process.env.DATABASE_URL).password)'
    const found = await stage.kubectl('exec', 'deployment/stock', '-c', 'service', '--', 'node', '-e', print)
    stage.check('setting and password of stock', found, `info ${password}`, found === `info ${password}`)
    stage.checkTally(await leave(), 3_000)
    await upgrade(stage, {})
  },
}

/** By the commands for an upgrade in deploy/README.md, for an overlay of `dev`. */
async function upgrade(stage: Stage, changes: object): Promise<void> {
  const dir = await mkdtemp(join(cache, 'overlay-'))
  try {
    const content = {
      resources: [relative(dir, join(root, overlay))],
      namespace: 'bookreservation',
      ...changes,
    }
    await writeFile(join(dir, 'kustomization.yaml'), JSON.stringify(content))
    await stage.kubectl('delete', 'job', 'migrate', '--ignore-not-found')
    await stage.cluster.kubectl('apply', '-k', dir)
    for (const name of deployments)
      await stage.kubectl('rollout', 'status', `deployment/${name}`, '--timeout=10m')
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
