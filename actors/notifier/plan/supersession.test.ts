/** Every pair of events of one reservation: which notices of the first are no longer true after the second. */
import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import type { StockEvent } from '../../messages.ts'
import { planNotices } from './plan.ts'
import { allSupersededBy, effects, mayBeUntrue } from './supersession.ts'
import { everybody, queue, refused, released, reserved } from './testing.ts'

const whose = { reservationid: randomUUID() }
const events = {
  queued: queue.queued(whose),
  reserved: queue.served(whose),
  ready: queue.shelved(whose),
  extended: queue.extended(whose, '2026-12-02T09:00:00.000Z'),
  'handed-over': queue.handedOver(whose),
  returned: queue.returned(whose),
  expired: queue.expired(whose),
  'taken-back': queue.takenBack(whose),
  'reserved again': queue.served(whose, 2),
  'ready again': queue.shelved(whose, '2026-12-05T09:00:00.000Z', 2),
  failed: queue.lapsed(whose),
  cancelled: released(whose),
  'cancelled by staff': queue.canceled(whose),
}
type Name = keyof typeof events

/** By the later event: the notices before it that are not sent any more. */
const table: Record<Name, string[]> = {
  queued: [],
  reserved: ['queued'],
  ready: ['queued', 'reserved'],
  extended: ['reminder', 'extended'],
  'handed-over': ['queued', 'reserved', 'ready', 'reminder', 'extended', 'taken-back'],
  returned: [],
  expired: ['ready', 'reminder', 'extended'],
  'taken-back': ['reserved', 'ready', 'reminder', 'extended'],
  'reserved again': ['queued', 'taken-back'],
  'ready again': ['queued', 'reserved', 'taken-back'],
  failed: ['queued', 'reserved', 'ready', 'reminder', 'extended', 'taken-back'],
  cancelled: ['reserved', 'failed', 'queued', 'ready', 'reminder', 'extended', 'taken-back'],
  'cancelled by staff': ['reserved', 'failed', 'queued', 'ready', 'reminder', 'extended', 'taken-back'],
}
const plan = (some: StockEvent[]) =>
  planNotices(
    some.map((event, i) => ({ event, id: `event-${i}-${event.type}`, partition: 1, traceparent: null })),
    () => undefined,
    everybody,
  )

const pairs = Object.keys(events).flatMap((earlier) =>
  Object.keys(table)
    .filter((later) => later !== earlier)
    .map((later) => ({ earlier: earlier as Name, later: later as Name })),
)
const firstTurn = (name: Name) => name === 'reserved' || name === 'ready'
/** A reservation starts its second turn once, after its copy was taken back. */
const never = (earlier: Name, later: Name) =>
  earlier.endsWith('again')
    ? later === 'taken-back' || firstTurn(later)
    : firstTurn(earlier) && later.endsWith('again')

test.each(pairs.filter(({ earlier, later }) => !never(earlier, later)))(
  'N4: $earlier, then $later: in one batch, in two, and at delivery',
  ({ earlier, later }) => {
    const untrue = table[later]
    const together = plan([events[earlier], events[later]]).notices
    const firsts = plan([events[earlier]]).notices
    const { withdrawals, pickups, notices: seconds } = plan([events[later]])
    const withdrawn = new Set(withdrawals.map((it) => it.noticeid))
    const proofs = new Set(seconds.filter((it) => it.channel === 'console').map((it) => it.noticeid))
    for (const notice of firsts) {
      const expected = untrue.includes(notice.kind)
      expect(together.find((it) => it.noticeid === notice.noticeid)?.superseded, notice.kind).toBe(expected)
      const proven = allSupersededBy(notice).some((it) => proofs.has(it))
      // An operator may retry a notice that was given up. Its second turn proves the first.
      if (later !== 'extended' && !(earlier === 'queued' && later.endsWith('again')))
        expect(proven, notice.kind).toBe(expected)
      if (notice.channel === 'console') continue
      const byKey = pickups.length > 0 && (notice.kind === 'reminder' || notice.kind === 'extended')
      const atDelivery = mayBeUntrue({ ...notice, retried: false }) && proven
      expect(withdrawn.has(notice.noticeid) || byKey || atDelivery, notice.kind).toBe(expected)
    }
  },
)

test('the table of the code has the same kinds, for the notice of each event', () => {
  for (const [name, event] of Object.entries(events)) {
    const { kind, supersedes } = effects[event.type]
    expect(plan([event]).notices.find((it) => it.channel === 'console')?.kind ?? null).toBe(kind)
    // A reservation is in its queue only before its first turn, and taken back only before a later one.
    for (const untrue of table[name as Name]) expect(supersedes, name).toContain(untrue)
  }
})

test('the events of books without rules withdraw what they did before, and look for nothing', () => {
  expect(plan([reserved(whose), refused(whose)])).toMatchObject({ withdrawals: [], pickups: [], orders: [] })
  const { withdrawals, pickups } = plan([released(whose)])
  expect([withdrawals.length, pickups.length]).toEqual([4, 0])
  const outcomes = plan([reserved(whose), refused({ reservationid: randomUUID() })]).notices
  expect(outcomes.some((it) => mayBeUntrue({ ...it, retried: false }))).toBe(false)
  expect(outcomes.every((it) => !('details' in it))).toBe(true)
})
