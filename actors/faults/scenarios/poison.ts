/** Messages that nobody can make sense of, on every way in; and messages that come out of their order. */
import { toFields } from '../../../streams/envelope.ts'
import { streamKey } from '../../../streams/partition.ts'
import { topics } from '../../messages.ts'
import { senseless } from '../../testing/senseless.ts'
import type { Stage } from '../stage.ts'
import { partitions } from '../world.ts'
import { acceptsAlways, type Scenario } from './scenario.ts'

export const poison: Scenario[] = [
  {
    name: 'poison',
    title: 'senseless messages in every mailbox and on every channel; old events driven again',
    needs: acceptsAlways,
    async fault(stage) {
      await stage.often(6, 200, async () => {
        await poisonMailbox(stage)
        await poisonChannels(stage)
        await driveOldEventAgain(stage)
      })
    },
  },
]

async function poisonMailbox(stage: Stage): Promise<void> {
  const { world, random } = stage
  const partition = random.below(partitions)
  const fields = random.pick(Object.values(senseless))
  const key = streamKey(world.redisPrefix, topics.stockMailbox, partition)
  const position = await world.admin.xadd(key, '*', ...fields)
  stage.poison.push({ service: 'stock', partition, position: position! })
}

async function poisonChannels({ world, random }: Stage): Promise<void> {
  const channel = random.pick(['stock:handled', 'reservation:changed'])
  const text = random.pick([
    '',
    '{}',
    'null',
    '['.repeat(50),
    `${crypto.randomUUID()}[null,{"reservationid":1}]`,
  ])
  await world.admin.publish(`${world.redisPrefix}:${channel}`, text)
}

type Logged = {
  partition: number
  seq: number
  id: string
  type: string
  subject: string
  time: string
  traceparent: string | null
  data: Record<string, unknown>
}

/** An event that had been set aside is driven again by an operator, when newer ones have been taken in. */
async function driveOldEventAgain({ world, random }: Stage): Promise<void> {
  const { sql } = world
  const events = await sql<Logged[]>`
    select partition, seq, id, type, subject, time::text, traceparent, data from stock.event_log l
    where seq < (select max(seq) from stock.event_log n where n.partition = l.partition and n.subject = l.subject)
    order by partition, seq`
  const event = random.pick(events)
  if (!event) return
  const { partition, seq, traceparent, ...attributes } = event
  const envelope = {
    ...attributes,
    specversion: '1.0' as const,
    source: '/stock',
    traceparent: traceparent ?? undefined,
  }
  for (const service of ['reservation', 'notifier']) {
    await sql`
      insert into ${sql(service)}.dead_letter (partition, position, reason, fields, redrive)
      values (${partition}, ${`${seq}-0`}, 'set aside', array(select json_array_elements_text(
        ${JSON.stringify(toFields([envelope]))}::text::json)), true)
      on conflict do nothing`
  }
}
