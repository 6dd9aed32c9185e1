/** Whether any work is left, according to the stores. */
import { setTimeout as sleep } from 'node:timers/promises'
import { topics } from '../../actors/messages.ts'
import { streamKey } from '../../streams/partition.ts'
import { range } from '../doubles/eventually.ts'
import { partitions, type World } from './world.ts'

const lookEveryMs = 100

/** The remaining work in words and numbers; empty when all is quiet. */
export async function unfinished(world: World): Promise<string[]> {
  const { sql } = world
  const [row] = await sql<Record<string, number>[]>`
    select
      (select count(*) from reservation.reservation where status = 'Requested') as "reservations undecided",
      (select count(*) from reservation.outbox) as "commands unanswered",
      (select count(*) from notifier.undelivered where due_at < now() + interval '6 hours') as "notices undelivered",
      (select count(*) from stock.untended) as "queues unserved",
      (select count(*) from stock.claim where kind = 'ready' and pickup_by < now() + interval '1 hour')
        as "holds about to expire",
      (select count(*) from reservation.standing s cross join unnest(s.active) as id
        left join stock.blocked_hold b on b.reservationid = id
        where (s.block_reason is null) <> (b.reservationid is null)) as "blocks unknown to stock",
      (select count(*) from stock.mailbox s join reservation.mailbox c using (partition)
        where c.position <> s.seq || '-0') as "partitions unread by reservation",
      (select count(*) from stock.mailbox s join notifier.mailbox c using (partition)
        where c.position <> s.seq || '-0') as "partitions unread by notifier"`
  const open = { ...row, 'mailboxes unread by stock': await unreadMailboxes(world) }
  return Object.entries(open).flatMap(([what, count]) => (count > 0 ? [`${count} ${what}`] : []))
}

async function unreadMailboxes({ sql, admin, redisPrefix }: World): Promise<number> {
  const rows = await sql<{ partition: number; position: string }[]>`
    select partition, position from stock.mailbox`
  const positionOf = new Map(rows.map(({ partition, position }) => [partition, position]))
  const unread = await Promise.all(
    range(partitions).map(async (partition) => {
      const key = streamKey(redisPrefix, topics.stockMailbox, partition)
      return (await admin.xrange(key, `(${positionOf.get(partition)}`, '+', 'COUNT', 1)).length
    }),
  )
  return unread.filter((count) => count > 0).length
}

/** Waits until all is quiet, or the work has not become less for `limitMs`. @returns the remaining work. */
export async function untilQuiet(world: World, limitMs: number): Promise<string[]> {
  let [least, since] = [Number.POSITIVE_INFINITY, Date.now()]
  for (;;) {
    const open = await unfinished(world).catch((error: Error) => [`no answer: ${error.message}`])
    // Checked twice: a repeated command may be in flight between two stores.
    if (open.length === 0 && (await unfinished(world).catch(() => ['?'])).length === 0) return []
    const left = open.reduce((sum, it) => sum + Number.parseInt(it, 10), 0)
    if (left < least) [least, since] = [left, Date.now()]
    if (Date.now() - since > limitMs) return open
    await sleep(lookEveryMs)
  }
}

/** Waits until all reservations accepted before `at` are decided, at most `limitMs`. @returns how long that took from `at`. */
export const untilDecided = ({ sql }: World, at: number, limitMs: number): Promise<number> =>
  untilNone(
    () => sql`
      select count(*) as open from reservation.reservation
      where status = 'Requested' and created_at <= ${new Date(at)}`,
    at,
    limitMs,
  )

/** As `untilDecided`, and until every outcome has its notices. */
export const untilNotified = ({ sql }: World, at: number, limitMs: number): Promise<number> =>
  untilNone(
    () => sql`
      select count(*) as open from reservation.reservation r
      where created_at <= ${new Date(at)} and (status = 'Requested' or status in ('Reserved', 'Failed') and not exists (
        select from notifier.notice n where n.reservationid = r.reservationid and n.status <> 'pending'))`,
    at,
    limitMs,
  )

async function untilNone(
  count: () => Promise<{ open?: number }[]>,
  at: number,
  limitMs: number,
): Promise<number> {
  while (Date.now() < at + limitMs) {
    const rows = await count().catch(() => [])
    if (rows[0]?.open === 0) return Date.now() - at
    await sleep(lookEveryMs / 2)
  }
  return Number.POSITIVE_INFINITY
}
