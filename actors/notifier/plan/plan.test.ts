import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import type { StockEvent } from '../../messages.ts'
import type { Contact } from '../customers/customers.ts'
import { contact } from '../testing.ts'
import { planNotices } from './plan.ts'
import type { Routing } from './routing.ts'
import { supersededBy } from './supersession.ts'
import {
  declined,
  everybody,
  monday,
  nobody,
  purchaseRequested,
  queue,
  refused,
  released,
  reserved,
  route,
} from './testing.ts'

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

test('N4: each step of a reservation in the queue has its notice, with what it says', () => {
  const whose = { reservationid }
  const later = '2026-12-02T09:00:00.000Z'
  const steps: [StockEvent, object][] = [
    [queue.queued(whose, 3), { kind: 'queued', details: { position: 3 } }],
    [queue.served(whose), { kind: 'reserved', details: { type: 'reservation' } }],
    [queue.shelved(whose), { kind: 'ready', details: { pickupBy: monday } }],
    [queue.extended(whose, later), { kind: 'extended', details: { pickupBy: later } }],
    [queue.takenBack(whose), { kind: 'taken-back', details: { cause: 'Lost', turn: 2 } }],
    [queue.expired(whose), { kind: 'expired' }],
    [queue.lapsed(whose), { kind: 'failed', reason: 'WaitLapsed' }],
    [queue.canceled(whose), { kind: 'cancelled', details: { cause: 'Staff', note: 'We move.' } }],
  ]
  for (const [event, notice] of steps) {
    const { notices } = plan([event], everybody)
    const chat = notices.filter((it) => it.channel === 'chat' && it.kind !== 'reminder')
    expect(chat).toMatchObject([{ ...notice, reservationid, userid: 'test1', bookid: '1' }])
  }
})

test('a hand-over is only a line on the console, and a return is nothing', () => {
  expect(summary([queue.handedOver({ reservationid, userid: 'mail' })], everybody)).toEqual([
    'handed-over console',
  ])
  expect(summary([queue.returned({ reservationid })], everybody)).toEqual([])
})

test('N5: with the notice that a copy is ready comes a reminder, to the customer and the chat, a day before the deadline', () => {
  const { notices } = plan([queue.shelved({ reservationid, userid: 'mail' })], everybody)
  expect(notices.map((it) => `${it.kind} ${it.channel}`)).toEqual([
    'ready console',
    'ready email',
    'ready chat',
    'reminder email',
    'reminder chat',
  ])
  const remindAt = '2026-11-29T09:00:00.000Z'
  expect(notices[3]).toMatchObject({ details: { pickupBy: monday, remindAt } })
  expect(summary([queue.shelved({ reservationid }, null)], everybody)).not.toContain('reminder chat')
})

test('N5: an extension moves the reminder, also back to a deadline that it had before', () => {
  const [shelved, later] = [queue.shelved({ reservationid }), '2026-12-02T09:00:00.000Z']
  const steps = [shelved, queue.extended({ reservationid }, later), queue.extended({ reservationid }, monday)]
  const { notices } = plan(steps, everybody)
  const reminders = notices.filter((it) => it.kind === 'reminder')
  expect(reminders.map((it) => it.superseded)).toEqual([true, true, false])
  expect(reminders.map((it) => it.details)).toMatchObject([
    { pickupBy: monday },
    { pickupBy: later },
    { pickupBy: monday },
  ])
})

test('N1: a notice that comes again after the copy was taken back has an id of its own, the same each time', () => {
  const turn = (turn?: number) =>
    plan([queue.served({ reservationid }, turn), queue.shelved({ reservationid }, monday, turn)], everybody)
      .notices
  const ids = [turn(), turn(2), turn(3)].map((notices) => notices.map((it) => it.noticeid))
  expect(new Set(ids.flat()).size).toBe(ids.flat().length)
  expect(turn(2).map((it) => it.noticeid)).toEqual(ids[1])
  const before = plan([reserved({ reservationid })], everybody).notices.map((it) => it.noticeid)
  expect(ids[0]!.slice(0, 2)).toEqual(before)
})

test('N4: a second time in the queue supersedes nothing of its own turn', () => {
  const whose = { reservationid }
  const events = [queue.shelved(whose), queue.takenBack(whose), queue.served(whose, 2)]
  expect(summary(events)).toEqual([
    'ready console superseded',
    'taken-back console superseded',
    'reserved console',
  ])
})

test('a purchaser who declines is not asked again for what they declined', () => {
  const { orders } = plan([purchaseRequested(1), declined()], everybody)
  expect(orders).toMatchObject([{ bookid: '1', index: 3 }])
})

test('a purchase request says how many wait', () => {
  const { notices } = plan([purchaseRequested(0, '1', 12)], everybody)
  expect(notices[1]).toMatchObject({ shortage: 0, details: { type: 'purchase', waiting: 12 } })
})

test('N1: a place that is repeated after a copy was taken back makes no notice', () => {
  const whose = { reservationid }
  const { position: _, ...repeated } = queue.queued(whose) as Extract<
    StockEvent,
    { type: 'ReservationQueued' }
  >
  expect(summary([queue.takenBack(whose), repeated])).toEqual(['taken-back console'])
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
