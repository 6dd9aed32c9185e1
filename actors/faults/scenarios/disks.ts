/** Disks without a byte left. */
import { join } from 'node:path'
import { fill, noSmallDisk } from '../disk.ts'
import { acceptsAlways, type Scenario } from './scenario.ts'

export const disks: Scenario[] = [
  {
    name: 'postgres-disk-full',
    title: 'the disk of Postgres is full',
    world: { smallDisk: true },
    needs: { only503: true, promptMs: 2_500, acceptedMs: 5_000, decidedMs: 30_000 },
    unable: noSmallDisk,
    async fault(stage) {
      const makeRoom = await fill(join(stage.world.dir, 'postgres'))
      stage.note('the disk of Postgres is full')
      await stage.seconds(5)
      await makeRoom()
      // Where it cannot go on it ends, and whoever looks after it starts it again.
      if (!stage.world.postgres.running) await stage.world.postgres.start()
    },
  },
  {
    name: 'redis-disk-full',
    title: 'the disk of Redis is full',
    world: { smallDisk: true },
    needs: acceptsAlways,
    unable: noSmallDisk,
    async fault(stage) {
      const makeRoom = await fill(join(stage.world.dir, 'redis'))
      stage.note('the disk of Redis is full')
      await stage.seconds(5)
      await makeRoom()
    },
  },
]
