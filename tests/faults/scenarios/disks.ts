/** Full disks. */
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
      // If it cannot go on it exits, and a supervisor would restart it.
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
