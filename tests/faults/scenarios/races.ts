/** Clients and transports that do things twice, concurrently and in the wrong order. */

import { topics } from '../../../actors/messages.ts'
import { streamKey } from '../../../streams/partition.ts'
import { range } from '../../doubles/eventually.ts'
import type { Stage } from '../stage.ts'
import type { Habits } from '../workload.ts'
import { partitions } from '../world.ts'
import { acceptsAlways, type Scenario } from './scenario.ts'

const fickle: Habits = [
  ['reserve', 25],
  ['reserve and cancel', 40],
  ['cancel twice', 15],
  ['cancel', 10],
  ['receive', 8],
  ['list', 2],
]

export const races: Scenario[] = [
  {
    name: 'cancel-races',
    title: 'most customers cancel at once, and commands are delivered twice',
    habits: fickle,
    needs: acceptsAlways,
    async fault(stage) {
      stage.note('repeating commands')
      await stage.often(6, 50, () => repeatCommands(stage))
    },
  },
  {
    name: 'same-key',
    title: 'fifty concurrent requests with one key',
    needs: acceptsAlways,
    async fault(stage) {
      await stage.often(4, 300, async () => {
        const key = `one-${stage.random.below(2 ** 31)}`
        const asked = { kind: 'reserve', bookid: 'book-0', userid: 'reader-0', key } as const
        await Promise.all(range(50).map(() => stage.requests.make(asked)))
      })
    },
  },
]

/** A transport may deliver a command again at any time. */
async function repeatCommands({ world, random }: Stage): Promise<void> {
  const key = streamKey(world.redisPrefix, topics.stockMailbox, random.below(partitions))
  const entries = await world.admin.xrevrange(key, '+', '-', 'COUNT', 30)
  if (entries.length > 0) await world.admin.xadd(key, '*', ...random.pick(entries)[1])
}
