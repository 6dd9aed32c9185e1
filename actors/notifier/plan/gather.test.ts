import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import type { StockEvent } from '../../messages.ts'
import { everybody, ordered, purchaseRequested, refused } from '../testing.ts'
import { gather } from './gather.ts'
import { planNotices } from './plan.ts'

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
