import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import type { StockEvent } from '../messages.ts'
import type { Contact } from './notice.ts'
import { planNotices, type Reach } from './notifier.ts'
import { everybody, nobody, purchaseRequested, refused, released, reserved } from './testing.ts'

const contacts: Record<string, Contact> = {
  mail: { email: 'a@example.com', webhook: null, locale: 'ko' },
  both: { email: 'a@example.com', webhook: 'https://chat.example/hook', locale: 'en' },
}
const plan = (events: StockEvent[], reach: Reach = nobody, ids?: string[]) =>
  planNotices(
    events.map((event, i) => ({ event, id: ids?.[i] ?? randomUUID(), partition: 3, traceparent: null })),
    (userid) => contacts[userid],
    reach,
  )
const summary = (events: StockEvent[], reach?: Reach) =>
  plan(events, reach).notices.map((it) => `${it.kind} ${it.channel}${it.superseded ? ' superseded' : ''}`)
const reservationid = randomUUID()

test('each outcome is told as what it is', () => {
  const [a, b, c] = [randomUUID(), randomUUID(), randomUUID()] as const
  const events = [
    reserved({ reservationid: a }),
    refused({ reservationid: b }),
    released({ reservationid: c }),
  ]
  expect(summary(events)).toEqual(['reserved console', 'failed console', 'cancelled console'])
})

test('a failed reservation is told with its reason and as nothing else', () => {
  const { notices } = plan([refused({ reservationid })])
  expect(notices).toHaveLength(1)
  expect(notices[0]).toMatchObject({
    kind: 'failed',
    reason: 'OutOfStock',
    reservationid,
    userid: 'test1',
    bookid: '1',
  })
})

test('what concerns nobody outside the shop is not told', () => {
  const after = { bookid: '1', version: 1, available: 1, held: 0 }
  const received: StockEvent = { type: 'CopiesReceived', ...after, qty: 1, title: '', author: '', isbn: '' }
  const ordered: StockEvent = { type: 'CopiesOrdered', ...after, qty: 1, purchaseid: randomUUID() }
  expect(summary([received, ordered], everybody)).toEqual([])
})

test('an answer that is repeated is told once', () => {
  const again = [reserved({ reservationid }), { ...reserved({ reservationid }), version: 9 }]
  expect(summary(again)).toEqual(['reserved console'])
  expect(plan(again).notices[0]!.noticeid).toBe(plan([again[1]!]).notices[0]!.noticeid)
})

test('a customer is told over every channel that is known and configured', () => {
  const both = reserved({ reservationid, userid: 'both' })
  expect(summary([both], everybody)).toEqual([
    'reserved console',
    'reserved email',
    'reserved webhook',
    'reserved chat',
  ])
  expect(summary([both], nobody)).toEqual(['reserved console', 'reserved webhook'])
  expect(summary([reserved({ reservationid, userid: 'mail' })], { ...everybody, chat: false })).toEqual([
    'reserved console',
    'reserved email',
  ])
})

test('a purchase request goes to the purchaser, with the shortage, once per event', () => {
  const events = [purchaseRequested(2), purchaseRequested(2), purchaseRequested()]
  const { notices } = plan(events, everybody, ['a', 'a', 'b'])
  expect(notices.map((it) => it.channel)).toEqual(['console', 'email', 'chat', 'console', 'email', 'chat'])
  expect(notices[1]).toMatchObject({ kind: 'purchase-requested', userid: null, bookid: '1', shortage: 2 })
  expect(summary(events, { ...everybody, purchaser: false, chat: false })).toHaveLength(3)
})

test('a cancellation supersedes the success of its own batch, in whatever order they came', () => {
  const [success, cancel] = [reserved({ reservationid }), released({ reservationid })]
  expect(summary([success, cancel])).toEqual(['reserved console superseded', 'cancelled console'])
  expect(summary([cancel, success])).toEqual(['cancelled console', 'reserved console superseded'])
})

test('a cancellation supersedes the failure of its own batch, in whatever order they came', () => {
  const [failure, cancel] = [refused({ reservationid }), released({ reservationid })]
  expect(summary([failure, cancel])).toEqual(['failed console superseded', 'cancelled console'])
  expect(summary([cancel, failure])).toEqual(['cancelled console', 'failed console superseded'])
})

test.each([
  ['success', reserved],
  ['failure', refused],
])('a cancellation withdraws the %s of an earlier batch on every channel, and no other notice', (_, told) => {
  const earlier = plan(
    [told({ reservationid, userid: 'both' }), told({ reservationid: randomUUID() })],
    everybody,
  )
  const { withdraws } = plan([released({ reservationid, userid: 'both' })], everybody)
  const ids = earlier.notices.filter((it) => it.reservationid === reservationid).map((it) => it.noticeid)
  expect(ids).toHaveLength(4)
  expect(withdraws.map((it) => it.noticeid)).toEqual(expect.arrayContaining(ids))
  const others = earlier.notices.filter((it) => it.reservationid !== reservationid)
  expect(withdraws.filter((it) => others.some((other) => other.noticeid === it.noticeid))).toEqual([])
})

test.each([
  ['success', reserved],
  ['failure', refused],
])('a %s that comes after its cancellation gives way to it', (_, told) => {
  const cancel = plan([released({ reservationid })]).notices[0]!
  const late = plan([told({ reservationid })]).notices[0]!
  expect(late.unless).toBe(cancel.noticeid)
  expect(cancel.unless).toBeNull()
})

test('a noticeid is a UUID that rises with the reservationid', () => {
  const timed = '01989d5e-1c2b-7abc-8def-0123456789ab'
  const { noticeid } = plan([reserved({ reservationid: timed })]).notices[0]!
  expect(noticeid).toMatch(/^01989d5e-1c2b-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
})
