import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Envelope } from '../streams/envelope.ts'
import { mutated, outcomeOf } from '../streams/testing/mutated.ts'
import { parseStockCommand, parseStockEvent, stockCommandSchema, stockEventSchema } from './messages.ts'

const whose = { reservationid: '019ac36e-7a41-7cc2-8f3a-5d0c7a1b2c3d', userid: 'ann' }
const figures = { version: 3, available: 2, held: 1 }
const commands = [
  ...['ReserveCopy', 'ReleaseCopy'].map((type) => ({ type, ...whose })),
  { type: 'ReserveCopy', ...whose, wait: false },
  { type: 'ReleaseCopy', ...whose, cause: 'Staff', note: 'found damaged' },
]
const events = [
  ...['CopyReserved', 'CopyReleased'].map((type) => ({ type, ...figures, ...whose })),
  { type: 'CopyReserved', ...figures, ...whose, first: true },
  { type: 'CopyReserved', ...figures, ...whose, out: 1, waiting: 2, place: 7, waited: true, turn: 2 },
  { type: 'CopyReleased', ...figures, ...whose, place: 7, cause: 'Customer', note: 'by phone' },
  { type: 'ReservationRefused', ...figures, ...whose, reason: 'OutOfStock', first: true },
]

const envelopeOf = ({ type, subject, ...data }: Record<string, unknown>) =>
  ({ type, subject, data }) as unknown as Envelope

test.each([
  ['a command', commands, parseStockCommand, stockCommandSchema],
  ['an event', events, parseStockEvent, stockEventSchema],
] as const)(
  'the fast parser accepts %s exactly when the schema does, and rejects it with the schema’s error',
  (_, messages, parse, schema) => {
    const message = fc.constantFrom(...messages.map((it) => ({ subject: 'b', ...it })))
    fc.assert(
      fc.property(mutated(message), (changed) => {
        const envelope = envelopeOf(changed)
        const { type, subject, data } = envelope
        expect(outcomeOf(() => parse(envelope))).toEqual(
          outcomeOf(() => schema.parse({ ...data, type, bookid: subject })),
        )
      }),
      { numRuns: 5_000 },
    )
  },
)

test('an upper-case id is parsed to lower case', () => {
  const envelope = envelopeOf({
    subject: 'b',
    ...commands[0]!,
    reservationid: whose.reservationid.toUpperCase(),
  })
  expect(parseStockCommand(envelope)).toEqual({ type: 'ReserveCopy', bookid: 'b', ...whose })
})
