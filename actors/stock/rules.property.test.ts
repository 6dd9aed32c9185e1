/** Any sequence of commands, in any order and repeated, to a book with rules. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { BookRules, StockCommand } from '../messages.ts'
import { presets } from './rules.ts'
import { BookActor, bookid, instants, uuid } from './testing.ts'

const reservation = fc.nat(11).map((n) => ({ reservationid: uuid(1, n), userid: `user-${n % 8}` }))
const reservationid = fc.nat(11).map((n) => uuid(1, n))
const commandid = fc.nat(60).map((n) => uuid(2, n))
/** Few, so that reservations must wait. */
const receipt = fc.nat(3).map((n) => uuid(4, n))
const at = fc.constantFrom(...instants)
const qty = fc.nat(3)

const ownRules: fc.Arbitrary<BookRules> = fc.oneof(
  fc.constantFrom<BookRules>({}, presets.library, presets.bookshop, presets.original),
  fc.record(
    {
      queueMax: fc.nat(4),
      queuePerCopy: fc.constantFrom(null, 1, 2),
      pullStep: fc.boolean(),
      onePerBook: fc.boolean(),
      lend: fc.boolean(),
      pickupDays: fc.constantFrom(null, 3),
      waitDays: fc.constantFrom(null, 90),
    },
    { requiredKeys: [] },
  ),
)

const command: fc.Arbitrary<StockCommand> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .record({
        type: fc.constant('ReserveCopy' as const),
        bookid: fc.constant(bookid),
        whose: reservation,
        wait: fc.constantFrom(undefined, undefined, undefined, true, false),
      })
      .map(({ whose, wait, ...it }) => ({ ...it, ...whose, ...(wait === undefined ? {} : { wait }) })),
  },
  { weight: 3, arbitrary: reservation.map((it) => ({ type: 'ReleaseCopy' as const, bookid, ...it })) },
  {
    weight: 3,
    arbitrary: fc.tuple(receipt, fc.nat(2), fc.boolean()).map(([id, n, isPurchase]) => ({
      type: 'ReceiveCopies' as const,
      bookid,
      commandid: id,
      qty: n,
      ...(isPurchase ? { purchaseid: uuid(3, 1) } : {}),
    })),
  },
  {
    weight: 1,
    arbitrary: commandid.map((id) => ({
      type: 'OrderCopies' as const,
      bookid,
      commandid: id,
      purchaseid: id,
      qty: 2,
    })),
  },
  ...(['ShelveCopy', 'ReturnCopy'] as const).map((type) => ({
    weight: 3,
    arbitrary: fc
      .tuple(commandid, reservationid)
      .map(([id, of]) => ({ type, bookid, commandid: id, reservationid: of })),
  })),
  {
    weight: 3,
    arbitrary: fc.tuple(commandid, reservation, fc.boolean()).map(([id, it, isAsked]) => ({
      type: 'HandOverCopy' as const,
      bookid,
      commandid: id,
      reservationid: it.reservationid,
      ...(isAsked ? { userid: it.userid } : {}),
    })),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(commandid, reservationid, at).map(([id, of, pickupBy]) => ({
      type: 'ExtendPickup' as const,
      bookid,
      commandid: id,
      reservationid: of,
      pickupBy,
    })),
  },
  ...(['ExpireHold', 'LapseWait'] as const).map((type) => ({
    weight: 2,
    arbitrary: fc.tuple(reservationid, at).map(([of, it]) => ({ type, bookid, reservationid: of, at: it })),
  })),
  {
    weight: 2,
    arbitrary: fc
      .tuple(commandid, qty, fc.option(reservationid), fc.boolean())
      .map(([id, n, of, evenHeld]) => ({
        type: 'WithdrawCopies' as const,
        bookid,
        commandid: id,
        qty: of ? 1 : n + 1,
        reason: 'Lost' as const,
        ...(of ? { reservationid: of } : {}),
        evenHeld,
      })),
  },
  {
    weight: 1,
    arbitrary: commandid.map((id) => ({ type: 'DeclinePurchase' as const, bookid, commandid: id })),
  },
  { weight: 1, arbitrary: fc.constant({ type: 'TendQueue' as const, bookid }) },
)
const changeRules = fc
  .tuple(commandid, ownRules)
  .map(([id, rules]): StockCommand => ({ type: 'ChangeRules', bookid, commandid: id, rules }))

const defaults = fc.constantFrom(...Object.values(presets), {
  ...presets.library,
  pullStep: false,
  queueMax: 3,
})
const commands = fc.array(command, { minLength: 20, maxLength: 80, size: 'max' })

test('BR1, BR2, BQ2: no copy is lost or created, places are served in order, and each step is allowed', () => {
  fc.assert(
    fc.property(defaults, commands, (rules, sequence) => {
      const actor = new BookActor(rules)
      for (const it of sequence) actor.take(it)
      actor.rest()
    }),
    { numRuns: 250 },
  )
})

test('the same holds while the rules of the book change', () => {
  const withChanges = fc.array(
    fc.oneof({ weight: 8, arbitrary: command }, { weight: 1, arbitrary: changeRules }),
    { minLength: 20, maxLength: 80, size: 'max' },
  )
  fc.assert(
    fc.property(defaults, withChanges, (rules, sequence) => {
      const actor = new BookActor(rules)
      for (const it of sequence) actor.take(it)
      actor.rest()
    }),
    { numRuns: 120 },
  )
})

test('BQ1: a place is given once, and each is higher than those before', () => {
  fc.assert(
    fc.property(commands, (sequence) => {
      const actor = new BookActor({ ...presets.library, queuePerCopy: null })
      for (const it of sequence) actor.take(it)
      const given = actor.published.flatMap((it) =>
        (it.type === 'ReservationQueued' || (it.type === 'CopyReserved' && !it.waited)) && it.first
          ? [it.place!]
          : [],
      )
      expect(given).toEqual(given.map((_, i) => i + 1))
    }),
    { numRuns: 120 },
  )
})

test('a message that is repeated has no second effect', () => {
  fc.assert(
    fc.property(defaults, commands, fc.nat(2), (rules, sequence, repeats) => {
      const [once, repeated] = [new BookActor(rules), new BookActor(rules)]
      for (const it of sequence) {
        once.take(it)
        for (let i = 0; i <= repeats; i++) repeated.take(it)
      }
      const { available, held, out, waiting, lastPlace } = once.book
      expect(repeated.book).toMatchObject({ available, held, out, waiting, lastPlace })
      expect(repeated.holds).toEqual(once.holds)
    }),
    { numRuns: 120 },
  )
})

test('the rules of the original leave no trace: no place, no shelf, no wait', () => {
  const original = fc.array(
    command.filter((it) => ['ReserveCopy', 'ReleaseCopy', 'ReceiveCopies', 'OrderCopies'].includes(it.type)),
    { minLength: 20, maxLength: 60, size: 'max' },
  )
  fc.assert(
    fc.property(original, (sequence) => {
      const actor = new BookActor(presets.original)
      for (const it of sequence) actor.take(it)
      for (const it of actor.published) {
        expect(Object.keys(it)).not.toContain('place')
        expect(Object.keys(it)).not.toContain('waiting')
        expect(['ReservationQueued', 'CopyShelved']).not.toContain(it.type)
      }
      expect(actor.book.out).toBe(0)
    }),
    { numRuns: 100 },
  )
})
