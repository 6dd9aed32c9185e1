/** A changed setting, and a new password of the database, without a failed request. */
import type { Scene } from '../stage.ts'
import { upgrade } from './upgrade.ts'

const password = 'rotated-stock-database'

export const rotation: Scene = {
  name: 'rotation',
  heading: 'ConfigMap and Secret',
  async play(stage) {
    const leave = await stage.customers()
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
