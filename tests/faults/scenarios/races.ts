/** Clients and transports that do things twice, concurrently and in the wrong order. */

import { topics } from '../../../actors/messages.ts'
import { type Envelope, fromFields, toFields } from '../../../streams/envelope.ts'
import { partitionOf, streamKey } from '../../../streams/partition.ts'
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

export const busyDesk: Habits = [
  ['queue up', 40],
  ['reserve', 5],
  ['cancel', 16],
  ['repeat', 4],
  ['receive', 4],
  ['attend the desk', 45],
  ['withdraw', 4],
  ['decline', 1],
  ['set rules', 0.5],
  ['look', 5],
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
    name: 'desk-races',
    title: 'most requests come from the desk, and commands are delivered twice, and before their time',
    habits: busyDesk,
    needs: acceptsAlways,
    async fault(stage) {
      stage.note('repeating commands, and expiring holds early')
      await stage.often(8, 50, async () => {
        await repeatCommands(stage)
        await expireEarly(stage)
      })
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
  if (entries.length === 0) return
  // An entry of several messages would be malformed under an id that Redis assigns.
  for (const message of fromFields(random.pick(entries)[1]))
    await world.admin.xadd(key, '*', ...toFields([message]))
}

/** The clock of stock has seen a deadline that was extended since, or the transport was slow. */
async function expireEarly({ world, random }: Stage): Promise<void> {
  const { sql, admin, redisPrefix } = world
  const holds = await sql<{ reservationid: string; bookid: string; now: Date }[]>`
    select reservationid::text, bookid, now() from stock.claim where kind in ('held', 'ready', 'out') order by since`
  if (holds.length === 0) return
  const { reservationid, bookid, now } = random.pick(holds)
  const key = streamKey(redisPrefix, topics.stockMailbox, partitionOf(bookid, partitions))
  const [last] = await admin.xrevrange(key, '+', '-', 'COUNT', 1)
  if (!last) return
  const { incarnation } = (fromFields(last[1]) as Envelope[])[0]!
  const time = now.toISOString()
  const envelope: Envelope = {
    specversion: '1.0',
    id: `${reservationid}/ExpireHold/${time}`,
    source: '/stock/clock',
    type: 'ExpireHold',
    subject: bookid,
    time,
    incarnation,
    data: { reservationid, at: time },
  }
  await admin.xadd(key, '*', ...toFields([envelope]))
}
