import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import type { StockEvent } from '../../messages.ts'
import { gather } from './gather.ts'
import { planNotices } from './plan.ts'
import { declined, everybody, ordered, purchaseRequested, queue, refused } from './testing.ts'

const of = (bookid: string) => ({ bookid, reservationid: randomUUID() })

/** @param repeated events whose notices exist. */
function gathered(events: StockEvent[], repeated: StockEvent[] = []) {
  const occurrences = events.map((event) => ({ event, id: randomUUID(), partition: 1, traceparent: null }))
  const { notices, orders } = planNotices(occurrences, () => undefined, everybody)
  const ids = new Set(repeated.map((it) => 'reservationid' in it && it.reservationid))
  const printed = notices.filter((it) => it.channel === 'console' && !ids.has(it.reservationid ?? ''))
  const { notices: kept, gatherings } = gather({ notices, orders }, new Set(printed))
  const requests = kept.filter((it) => it.kind === 'purchase-requested' && it.audience === 'person')
  return {
    requests: requests.map(
      ({ bookid, shortage, superseded }) => `${bookid} ${shortage}${superseded ? ' superseded' : ''}`,
    ),
    added: gatherings.map(
      ({ key, shortage, noticeid }) => `${key} ${shortage}${noticeid ? '' : ' to what is there'}`,
    ),
    others: kept.length - requests.length,
  }
}

test('G2: a request counts the refusals until the end of its batch', () => {
  const events = [
    refused(of('a')),
    purchaseRequested(1, 'a'),
    refused(of('a')),
    refused(of('a')),
    refused(of('b')),
  ]
  expect(gathered(events)).toMatchObject({
    requests: ['a 3'],
    added: ['purchase-requested/a 3', 'purchase-requested/b 1 to what is there'],
  })
})

test('G1, G2: two requests for one book are one, and the refusals that made them are counted once', () => {
  const events = [
    refused(of('a')),
    purchaseRequested(1, 'a'),
    refused(of('a')),
    refused(of('a')),
    purchaseRequested(1, 'a'),
    refused(of('a')),
  ]
  expect(gathered(events)).toMatchObject({ requests: ['a 4'], added: ['purchase-requested/a 4'] })
})

test('a repeated answer raises nothing', () => {
  const again = refused(of('a'))
  expect(gathered([again], [again])).toMatchObject({ added: [] })
})

test('G3: a request whose book is not going to be bought is not sent', () => {
  expect(gathered([purchaseRequested(1, 'a'), declined('a')])).toMatchObject({ requests: ['a 1 superseded'] })
})

test('G2: a failure that has nothing to do with the number of copies raises nothing', () => {
  const whose = { reservationid: randomUUID(), bookid: 'a' }
  expect(gathered([purchaseRequested(1, 'a'), queue.lapsed(whose)])).toMatchObject({ requests: ['a 1'] })
})

test('G4: a request says how many wait at the end of its batch, and a queue is no shortage', () => {
  const occurrences = [refused(of('a')), purchaseRequested(0, 'a', 3), purchaseRequested(0, 'a', 5)].map(
    (event) => ({ event, id: randomUUID(), partition: 1, traceparent: null }),
  )
  const planned = planNotices(occurrences, () => undefined, everybody)
  const { notices, gatherings } = gather(
    planned,
    new Set(planned.notices.filter((it) => it.channel === 'console')),
  )
  expect(gatherings).toMatchObject([{ shortage: 1, waiting: 5 }])
  expect(notices.find((it) => it.channel === 'email')).toMatchObject({ details: { waiting: 5 } })
})

test('the console and the chat get each request', () => {
  const { others } = gathered([purchaseRequested(1, 'a'), purchaseRequested(1, 'a')])
  expect(others).toBe(4)
})

test('G3: a request whose book was ordered is not sent, and a request after the order is', () => {
  const before = [refused(of('a')), purchaseRequested(1, 'a'), refused(of('a'))]
  expect(gathered([...before, ordered('a')])).toMatchObject({ requests: ['a 2 superseded'], added: [] })
  expect(gathered([...before, ordered('b')])).toMatchObject({ requests: ['a 2'] })
  expect(gathered([...before, ordered('a'), refused(of('a')), purchaseRequested(1, 'a')])).toMatchObject({
    requests: ['a 2 superseded', 'a 1'],
    added: ['purchase-requested/a 1'],
  })
})

test('G3: a request of a queue that is empty again is not sent, unless reservations were refused', () => {
  const [ann, ben] = [of('a'), of('a')]
  const wanted = purchaseRequested(0, 'a', 1)
  for (const left of [
    queue.served(ann),
    queue.lapsed(ann),
    { ...queue.canceled(ann), place: 7 } as StockEvent,
  ])
    expect(gathered([wanted, left])).toMatchObject({ requests: ['a 0 superseded'], added: [] })
  const waits = { ...queue.served(ann), waiting: 1 } as StockEvent
  expect(gathered([wanted, waits])).toMatchObject({ requests: ['a 0'] })
  expect(gathered([refused(ben), purchaseRequested(1, 'a', 1), queue.served(ann)])).toMatchObject({
    requests: ['a 1'],
    added: ['purchase-requested/a 1'],
  })
  expect(gathered([wanted, queue.served(ann), wanted])).toMatchObject({
    requests: ['a 0 superseded', 'a 0'],
    added: ['purchase-requested/a 0'],
  })
})
