/** No customer has more active reservations than allowed, a block lets none pass, and none is refused without need. */
import type { ReservationRow, StandingRow } from '../evidence.ts'
import { type Call, callIdOf } from '../history.ts'
import type { LedgerRow } from '../ledger.ts'
import { type Check, differences, type Facts } from './check.ts'

export const standings: Check[] = [
  { name: 'limits and blocks hold', violations: (facts) => judged(facts).over },
  { name: 'limits and blocks refuse only what they must', violations: (facts) => judged(facts).refused },
  { name: 'blocked customers get no copy', violations: ({ evidence }) => handedOver(evidence) },
  {
    name: 'standings are the active reservations',
    violations: ({ evidence, activeMax }) =>
      activeMax === 0 ? [] : differences(activeIn(evidence.reservations), kept(evidence.standings)),
  },
]

const active = ['Requested', 'Waiting', 'Reserved', 'Ready']
const isActive = ({ status }: { status: string | null }) => active.includes(status ?? '')

/** Whether the reservation service refused it. Stock never hears of it, and its answer is its only notice. */
export const isRefusedAtOnce = ({ reason }: { reason: string | null }): boolean =>
  reason === 'LimitReached' || reason === 'Blocked'

/** A block that comes after the hand-over is not noted, and one that ends before it is removed. */
function handedOver({ holds, blockedHolds }: Facts['evidence']): string[] {
  const blocked = new Set(blockedHolds)
  return holds
    .filter((it) => (it.status === 'collected' || it.status === 'returned') && blocked.has(it.reservationid))
    .map(({ reservationid, userid }) => `${reservationid} of ${userid} was handed over during a block`)
}

type Judged = { over: string[]; refused: string[] }

/** Judges each commit by those before it. */
function judged({ evidence, calls, activeMax }: Facts): Judged {
  const it: Judged = { over: [], refused: [] }
  if (activeMax === 0) return it
  const allowed = passedByStaff(evidence.reservations, calls)
  for (const [userid, lines] of Map.groupBy(evidence.ledger, ({ userid }) => userid)) {
    const customer: Customer = { userid, active: new Set(), blocked: false }
    for (const commit of Map.groupBy(lines, ({ tx }) => tx).values()) {
      for (const line of commit) follow(customer, line)
      for (const line of commit) if (line.isNew) judge(it, customer, line, activeMax, allowed)
    }
  }
  return it
}

type Customer = { userid: string; active: Set<string>; blocked: boolean }

function follow(customer: Customer, line: LedgerRow): void {
  const { reservationid, blocked } = line
  if (reservationid === null) customer.blocked = blocked === true
  else if (isActive(line)) customer.active.add(reservationid)
  else customer.active.delete(reservationid)
}

function judge(
  it: Judged,
  { userid, active, blocked }: Customer,
  line: LedgerRow,
  activeMax: number,
  allowed: ReadonlySet<string>,
): void {
  const { reservationid, reason } = line
  const where = `${reservationid} of ${userid}`
  if (isActive(line)) {
    if (blocked) it.over.push(`${where} was accepted during a block`)
    if (active.size > activeMax && !allowed.has(reservationid!))
      it.over.push(`${where} is the ${active.size}th`)
    return
  }
  if (reason === 'Blocked' && !blocked) it.refused.push(`${where}: Blocked, without a block`)
  if (reason !== 'LimitReached') return
  if (active.size < activeMax || blocked)
    it.refused.push(`${where}: LimitReached, with ${active.size} active`)
  if (line.active !== active.size)
    it.refused.push(`${where}: says ${line.active}, but ${active.size} are active`)
}

/** Reservations that staff made over the limit. */
const passedByStaff = (reservations: ReservationRow[], calls: Call[]): Set<string> =>
  new Set(
    reservations
      .filter(({ traceparent }) => calls[callIdOf(traceparent) ?? -1]?.more?.overLimit === true)
      .map(({ reservationid }) => reservationid),
  )

const activeIn = (reservations: ReservationRow[]): Map<string, string[]> =>
  new Map(
    [...Map.groupBy(reservations.filter(isActive), ({ userid }) => userid)].map(([userid, of]) => [
      userid,
      of.map(({ reservationid }) => reservationid).sort(),
    ]),
  )

const kept = (standings: StandingRow[]): Map<string, string[]> =>
  new Map(
    standings.filter(({ active }) => active.length > 0).map(({ userid, active }) => [userid, active.sort()]),
  )
