/** Redis loses data, connections, time and memory. No accepted reservation may depend on it. */
import { open, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { topics } from '../../../actors/messages.ts'
import { perEntryMax } from '../../../streams/envelope.ts'
import { streamKey } from '../../../streams/partition.ts'
import type { Stage } from '../stage.ts'
import { partitions } from '../world.ts'
import { acceptsAlways, type Scenario } from './scenario.ts'

export const redis: Scenario[] = [
  {
    name: 'redis-flushed',
    title: 'Redis loses all data, repeatedly',
    needs: acceptsAlways,
    async fault(stage) {
      for (let times = 0; times < 3; times++) {
        await stage.seconds(stage.random.between(0.5, 3))
        await flush(stage)
      }
    },
  },
  {
    name: 'redis-clock-back',
    title: 'Redis assigns ids from the future, loses all data, and its clock is right again',
    needs: acceptsAlways,
    async fault(stage) {
      await repeatFromTheFuture(stage)
      await stage.seconds(2)
      await flush(stage)
    },
  },
  {
    name: 'redis-paused',
    title: 'Redis freezes',
    needs: acceptsAlways,
    async fault(stage) {
      const seconds = stage.random.pick([2, 5, 10, 20, 45])
      stage.note(`SIGSTOP of Redis for ${seconds} s`)
      stage.world.redis.signal('SIGSTOP')
      await stage.seconds(seconds)
      stage.world.redis.signal('SIGCONT')
    },
  },
  {
    name: 'redis-clients-killed',
    title: 'Redis disconnects its clients, ten times a second',
    needs: acceptsAlways,
    async fault(stage) {
      const { admin } = stage.world
      stage.note('CLIENT KILL storm')
      await stage.often(6, 100, async () => {
        for (const type of ['normal', 'pubsub'])
          await admin.call('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes')
      })
    },
  },
  ...(['kept', 'truncated', 'deleted'] as const).map(
    (file): Scenario => ({
      name: `redis-killed-${file}`,
      title: `Redis is killed; its append-only file is ${file}`,
      needs: acceptsAlways,
      async fault(stage) {
        await stage.seconds(1)
        stage.note(`SIGKILL of Redis, file ${file}`)
        await stage.world.redis.crash()
        await hurtFile[file](join(stage.world.dir, 'redis', 'appendonlydir'))
        const seconds = file === 'kept' ? stage.random.pick([2, 20, 60]) : 2
        stage.note(`Redis is down for ${seconds} s`)
        await stage.seconds(seconds)
        await stage.world.redis.start()
      },
    }),
  ),
  {
    name: 'redis-full',
    title: 'Redis is at its maxmemory',
    needs: acceptsAlways,
    async fault(stage) {
      const { admin } = stage.world
      stage.note('maxmemory 1')
      await admin.config('SET', 'maxmemory', '1')
      await stage.seconds(5)
      await admin.config('SET', 'maxmemory', '0')
    },
  },
]

async function flush(stage: Stage): Promise<void> {
  stage.note('FLUSHALL')
  await stage.world.admin.flushall()
}

/** Every mailbox gets an entry with an id an hour ahead: a repeated command. */
async function repeatFromTheFuture(stage: Stage): Promise<void> {
  const { admin, redisPrefix } = stage.world
  // With room for the positions of an entry's messages.
  const id = `${Date.now() + 3_600_000}-${perEntryMax}`
  stage.note(`repeating a command in each mailbox as ${id}`)
  for (let partition = 0; partition < partitions; partition++) {
    const key = streamKey(redisPrefix, topics.stockMailbox, partition)
    const [last] = await admin.xrevrange(key, '+', '-', 'COUNT', 1)
    if (last) await admin.xadd(key, id, ...last[1])
  }
}

const hurtFile = {
  kept: async () => {},
  deleted: (dir: string) => rm(dir, { recursive: true }),
  /** As after a crash: the last command is incomplete, and those of the last second are missing. */
  async truncated(dir: string): Promise<void> {
    const manifest = await open(join(dir, 'appendonly.aof.manifest'))
    const text = await manifest.readFile('utf8')
    await manifest.close()
    const name = text.match(/file (\S+\.incr\.aof)/)![1]!
    const { size } = await stat(join(dir, name))
    await truncate(join(dir, name), Math.floor(size * 0.7))
  },
}
