/** Invalid messages on every input, and messages out of order. */

import { topics } from '../../../actors/messages.ts'
import { type Envelope, fromFields, toFields } from '../../../streams/envelope.ts'
import { streamKey } from '../../../streams/partition.ts'
import { senseless } from '../../harness/senseless.ts'
import { consumers, kinds, prepareRefusals, redrive, redriveAll, refuse } from '../refusals.ts'
import type { Stage } from '../stage.ts'
import { partitions } from '../world.ts'
import { busyDesk } from './races.ts'
import { acceptsAlways, type Scenario } from './scenario.ts'

export const poison: Scenario[] = [
  {
    name: 'poison',
    title: 'invalid messages in every mailbox and on every channel; old events redriven',
    needs: acceptsAlways,
    async fault(stage) {
      await stage.often(6, 200, async () => {
        await poisonMailbox(stage)
        await poisonChannels(stage)
        await driveOldEventAgain(stage)
      })
    },
  },
  {
    name: 'events-refused',
    title: 'Postgres refuses events of some reservations, and an operator redrives them later',
    habits: busyDesk,
    needs: acceptsAlways,
    async fault(stage) {
      await prepareRefusals(stage.world)
      let letters = 0
      await stage.often(8, 100, async () => {
        const { world, random } = stage
        await refuse(world, random.pick(consumers), random.below(kinds), random.between(200, 800))
        if (random.chance(0.5)) letters += await redrive(world)
      })
      letters += await redriveAll(stage.world)
      stage.note(`${letters} letters were redriven`)
    },
  },
  {
    name: 'slipped-in',
    title: 'another client writes to the event streams, in place of the next event',
    needs: acceptsAlways,
    async fault(stage) {
      await stage.often(6, 400, () => slipIn(stage))
    },
  },
]

/** Garbage, a repeated event, or the last one with the next sequence. */
async function slipIn({ world, random, slippedIn }: Stage): Promise<void> {
  const partition = random.below(partitions)
  const key = streamKey(world.redisPrefix, topics.stockEvents, partition)
  const [last] = await world.admin.xrevrange(key, '+', '-', 'COUNT', 1)
  if (!last) return
  const events = fromFields(last[1]) as Envelope[]
  const sequence = Number.parseInt(last[0], 10) + 1
  const next = { ...events.at(-1)!, sequence: String(sequence) }
  const fields = random.pick([['g', 'garbage'], last[1], toFields([next])])
  slippedIn.add(`${partition} ${sequence}-0`)
  // Stock may have been faster; then the id is taken.
  await world.admin.xadd(key, `${sequence}-0`, ...fields).catch(() => {})
}

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

/**
 * An operator redrives a dead-lettered event after newer ones were consumed. Only of books without rules: elsewhere a reservation may
 * have come back to the status that the event changes.
 */
async function driveOldEventAgain({ world, random }: Stage): Promise<void> {
  const { sql } = world
  const events = await sql<Logged[]>`
    select partition, seq, id, type, subject, time::text, traceparent, data
    from (select *, max(seq) over (partition by partition, subject) as newest from stock.event_log) as l
    where seq < newest and subject not in (select bookid from stock.book where rules is not null)
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
