/** The checks of limits and blocks can fail. */
import { expect, test } from 'vitest'
import type { ReservationRow } from '../evidence.ts'
import type { LedgerRow } from '../ledger.ts'
import type { Facts } from './check.ts'
import { standings } from './standings.ts'

const activeMax = 2
const userid = 'ann'
const line = (tx: number, it: Partial<LedgerRow>): LedgerRow => ({
  tx: String(tx),
  userid,
  reservationid: null,
  isNew: false,
  status: null,
  reason: null,
  active: null,
  blocked: null,
  ...it,
})
const made = (tx: number, reservationid: string) =>
  line(tx, { reservationid, isNew: true, status: 'Requested' })
const refused = (tx: number, reservationid: string, active: number | null, reason = 'LimitReached') =>
  line(tx, { reservationid, isNew: true, status: 'Failed', reason, active })
const became = (tx: number, reservationid: string, status: string) => line(tx, { reservationid, status })
const blocked = (tx: number, blocked: boolean) => line(tx, { blocked })

/** @returns the names of the checks that fail. */
function failing(ledger: LedgerRow[], active?: string[], limit = activeMax): string[] {
  const stored = new Map(ledger.flatMap((it) => (it.reservationid ? [[it.reservationid, it.status]] : [])))
  const rows = [...stored].map(([reservationid, status]) => ({
    reservationid,
    userid,
    status,
    traceparent: null,
  }))
  const isActive = ({ status }: { status: unknown }) => status !== 'Failed' && status !== 'Canceled'
  const found = active ?? rows.filter(isActive).map((it) => it.reservationid as string)
  const evidence = {
    reservations: rows as unknown as ReservationRow[],
    standings: [{ userid, active: found }],
    holds: [],
    blockedHolds: [],
    ledger,
  }
  const facts = { evidence, calls: [], activeMax: limit } as unknown as Facts
  return standings.filter((it) => it.violations(facts).length > 0).map(({ name }) => name)
}

test('as many as allowed are accepted, one more is refused, and one that ends makes room', () => {
  const full = [made(1, 'a'), refused(2, 'c', 2), made(2, 'b')]
  expect(failing(full)).toEqual([])
  expect(failing([...full, became(3, 'a', 'Waiting'), became(4, 'a', 'Canceled'), made(5, 'd')])).toEqual([])
  expect(
    failing([blocked(1, true), refused(2, 'a', null, 'Blocked'), blocked(3, false), made(4, 'b')]),
  ).toEqual([])
})

test.each<[string, LedgerRow[], string]>([
  ['a third is accepted', [made(1, 'a'), made(2, 'b'), made(2, 'c')], 'limits and blocks hold'],
  ['a blocked customer is accepted', [blocked(1, true), made(2, 'a')], 'limits and blocks hold'],
  [
    'the second is refused',
    [made(1, 'a'), refused(2, 'b', 1)],
    'limits and blocks refuse only what they must',
  ],
  [
    'a refusal counts one that has ended',
    [made(1, 'a'), made(2, 'b'), became(3, 'b', 'Collected'), refused(4, 'c', 2)],
    'limits and blocks refuse only what they must',
  ],
  [
    'a customer is refused for a block that has ended',
    [blocked(1, true), blocked(2, false), refused(3, 'a', null, 'Blocked')],
    'limits and blocks refuse only what they must',
  ],
])('it is detected when %s', (_, ledger, check) => {
  const active = ledger.some((it) => it.status === 'Collected') ? ['a'] : undefined
  expect(failing(ledger, active)).toEqual([check])
})

test('it is detected when a copy is handed over during a block', () => {
  const hold = (reservationid: string, status: string) => ({ reservationid, userid, status })
  const holds = [hold('a', 'collected'), hold('b', 'held'), hold('c', 'returned')]
  const found = (...blockedHolds: string[]) => {
    const facts = { evidence: { holds, blockedHolds } } as unknown as Facts
    return standings.find(({ name }) => name === 'blocked customers get no copy')!.violations(facts)
  }
  expect(found('b')).toEqual([])
  expect(found('a', 'b', 'c')).toHaveLength(2)
})

test('it is detected when a standing lacks a reservation, or keeps one that has ended', () => {
  const check = ['standings are the active reservations']
  expect(failing([made(1, 'a')], [])).toEqual(check)
  expect(failing([made(1, 'a'), became(2, 'a', 'Canceled')], ['a'])).toEqual(check)
  expect(failing([made(1, 'a')], [], 0)).toEqual([])
})
