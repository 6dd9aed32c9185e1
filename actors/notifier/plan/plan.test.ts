import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import type { StockEvent } from '../../messages.ts'
import type { Contact } from '../customers/customers.ts'
import {
  contact,
  everybody,
  nobody,
  purchaseRequested,
  refused,
  released,
  reserved,
  route,
} from '../testing.ts'
import { planNotices, supersededBy } from './plan.ts'
import type { Routing } from './routing.ts'

const contacts: Record<string, Contact> = {
  mail: contact({ email: 'a@example.com' }),
  both: contact({ email: 'a@example.com', webhook: 'https://chat.example/hook' }),
  choosy: contact({ email: 'a@example.com', phone: '+821012345678', channels: ['sms', 'email'] }),
  quiet: contact({ email: 'a@example.com', channels: [] }),
}
const plan = (events: StockEvent[], routing: Routing = nobody, ids?: string[]) =>
  planNotices(
    events.map((event, i) => ({ event, id: ids?.[i] ?? randomUUID(), partition: 3, traceparent: null })),
    (userid) => contacts[userid],
    routing,
  )
const summary = (events: StockEvent[], routing?: Routing) =>
  plan(events, routing).notices.map((it) => `${it.kind} ${it.channel}${it.superseded ? ' superseded' : ''}`)
const reservationid = randomUUID()

test('each outcome has a notice of its kind', () => {
  const [a, b, c] = [randomUUID(), randomUUID(), randomUUID()] as const
  const events = [
    reserved({ reservationid: a }),
    refused({ reservationid: b }),
    released({ reservationid: c }),
  ]
  expect(summary(events)).toEqual(['reserved console', 'failed console', 'cancelled console'])
})

test('a failed reservation has one notice, with its reason', () => {
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

test('every notice about a book that stock has never had says so', () => {
  const never = { version: 0, available: 0, held: 0 }
  const events = [
    { ...released({ reservationid }), ...never },
    { ...purchaseRequested(), ...never },
  ] as StockEvent[]
  expect(plan(events).notices.map((it) => it.reason)).toEqual(['UnknownBook', 'UnknownBook'])
  expect(plan([released({ reservationid })]).notices[0]!.reason).toBeNull()
})

test('events that concern only the library make no notice', () => {
  const after = { bookid: '1', version: 1, available: 1, held: 0 }
  const received: StockEvent = { type: 'CopiesReceived', ...after, qty: 1, title: '', author: '', isbn: '' }
  const ordered: StockEvent = { type: 'CopiesOrdered', ...after, qty: 1, purchaseid: randomUUID() }
  expect(summary([received, ordered], everybody)).toEqual([])
})

test('N1: a repeated answer makes one notice', () => {
  const again = [reserved({ reservationid }), { ...reserved({ reservationid }), version: 9 }]
  expect(summary(again)).toEqual(['reserved console'])
  expect(plan(again).notices[0]!.noticeid).toBe(plan([again[1]!]).notices[0]!.noticeid)
})

test('a customer is notified over the first channel with an address, and the chat gets a copy', () => {
  const both = reserved({ reservationid, userid: 'both' })
  expect(summary([both], everybody)).toEqual(['reserved console', 'reserved email', 'reserved chat'])
  expect(summary([both], nobody)).toEqual(['reserved console', 'reserved webhook'])
  const mail = reserved({ reservationid, userid: 'mail' })
  expect(summary([mail], route(['webhook', 'email']))).toEqual(['reserved console', 'reserved email'])
  expect(summary([reserved({ reservationid })], everybody)).toEqual(['reserved console', 'reserved chat'])
})

test("the customer's order comes before the defaults, and the default of a kind before the general one", () => {
  const answer = (userid: string, routing: Routing) =>
    summary([refused({ reservationid, userid })], routing).filter((it) => !/console|chat/.test(it))
  expect(answer('choosy', everybody)).toEqual(['failed sms'])
  expect(answer('choosy', route(['email']))).toEqual(['failed email'])
  expect(answer('quiet', everybody)).toEqual([])
  const webhookFirst = { channels: everybody.customers.channels, byKind: { failed: ['webhook' as const] } }
  expect(answer('both', { ...everybody, customers: webhookFirst })).toEqual(['failed webhook'])
  expect(answer('choosy', { ...everybody, customers: webhookFirst })).toEqual(['failed sms'])
})

test('N1: a notice keeps its id whatever channel its customer chooses meanwhile', () => {
  const answers = [reserved({ reservationid, userid: 'both' }), reserved({ reservationid, userid: 'choosy' })]
  const [one, other] = answers.map((it) => plan([it], everybody).notices[1]!)
  expect([one!.channel, other!.channel]).toEqual(['email', 'sms'])
  expect(one!.noticeid).toBe(other!.noticeid)
})

test('a purchase request goes to the purchaser, with the shortage, once per event', () => {
  const events = [purchaseRequested(2), purchaseRequested(2), purchaseRequested()]
  const { notices } = plan(events, everybody, ['a', 'a', 'b'])
  expect(notices.map((it) => it.channel)).toEqual(['console', 'email', 'chat', 'console', 'email', 'chat'])
  expect(notices[1]).toMatchObject({ kind: 'purchase-requested', userid: null, bookid: '1', shortage: 2 })
  expect(summary(events, nobody)).toHaveLength(3)
})

test('N2, N3: a cancellation supersedes the success of its own batch, in whatever order they came', () => {
  const [success, cancel] = [reserved({ reservationid }), released({ reservationid })]
  expect(summary([success, cancel])).toEqual(['reserved console superseded', 'cancelled console'])
  expect(summary([cancel, success])).toEqual(['cancelled console', 'reserved console superseded'])
})

test('N2, N3: a cancellation supersedes the failure of its own batch, in whatever order they came', () => {
  const [failure, cancel] = [refused({ reservationid }), released({ reservationid })]
  expect(summary([failure, cancel])).toEqual(['failed console superseded', 'cancelled console'])
  expect(summary([cancel, failure])).toEqual(['cancelled console', 'failed console superseded'])
})

test.each([
  ['success', reserved],
  ['failure', refused],
])('N2: a cancellation withdraws an unsent %s of an earlier batch, and no other notice', (_, answer) => {
  const earlier = plan(
    [answer({ reservationid, userid: 'both' }), answer({ reservationid: randomUUID() })],
    everybody,
  )
  const { withdrawals } = plan([released({ reservationid, userid: 'both' })], everybody)
  // The console's notice was printed in that batch.
  const ids = earlier.notices
    .filter((it) => it.reservationid === reservationid && it.channel !== 'console')
    .map((it) => it.noticeid)
  expect(ids).toHaveLength(2)
  expect(withdrawals.map((it) => it.noticeid)).toEqual(expect.arrayContaining(ids))
  const others = earlier.notices.filter((it) => it.reservationid !== reservationid)
  expect(withdrawals.filter((it) => others.some((other) => other.noticeid === it.noticeid))).toEqual([])
})

test.each([
  ['success', reserved],
  ['failure', refused],
])('N3: a %s after its cancellation is superseded by it', (_, answer) => {
  const cancel = plan([released({ reservationid })]).notices[0]!
  const late = plan([answer({ reservationid })]).notices[0]!
  expect(supersededBy(late)).toBe(cancel.noticeid)
  expect(supersededBy(cancel)).toBeNull()
})

test('a noticeid is a UUID that rises with the reservationid', () => {
  const timed = '01989d5e-1c2b-7abc-8def-0123456789ab'
  const { noticeid } = plan([reserved({ reservationid: timed })]).notices[0]!
  expect(noticeid).toMatch(/^01989d5e-1c2b-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
})
