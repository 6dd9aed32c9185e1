import { expect, test } from 'vitest'
import { expiryOf, isToBeNoted, type Session, toSession } from './session.ts'

const minuteS = 60
const hourS = 3_600
const dayS = 86_400
const begun = 1_800_000_000
const session = (some: Partial<Session> = {}): Session => ({
  sid: 'a'.repeat(43),
  sub: 's',
  userid: 'mina',
  roles: ['customer'],
  begun,
  seen: begun,
  ...some,
})

test('SE2: a customer is logged out after 30 days without a page, however long ago they logged in', () => {
  expect(expiryOf(session())).toBe(begun + 30 * dayS)
  expect(expiryOf(session({ seen: begun + 400 * dayS }))).toBe(begun + 430 * dayS)
})

test('SE2: staff are logged out after 30 minutes without a page, and after 12 hours', () => {
  const staff = (seen: number) => expiryOf(session({ roles: ['customer', 'operator'], seen }))
  expect(staff(begun)).toBe(begun + 30 * minuteS)
  expect(staff(begun + 8 * hourS)).toBe(begun + 8.5 * hourS)
  expect(staff(begun + 11.9 * hourS)).toBe(begun + 12 * hourS)
})

test('a page notes that it was used once a minute for staff, and once a day for customers', () => {
  expect(isToBeNoted(session({ roles: ['purchaser'] }), begun + 59)).toBe(false)
  expect(isToBeNoted(session({ roles: ['purchaser'] }), begun + 61)).toBe(true)
  expect(isToBeNoted(session(), begun + hourS)).toBe(false)
  expect(isToBeNoted(session(), begun + dayS)).toBe(true)
})

test('what another version wrote is no session, if it lacks something or has an unknown role', () => {
  expect(toSession({ ...session(), aud: 'session', exp: 1, more: true })).toEqual(session())
  for (const wrong of [
    { sid: 'short' },
    { roles: [] },
    { roles: ['king'] },
    { userid: 'a b' },
    { begun: '1' },
  ])
    expect(toSession({ ...session(), ...wrong })).toBeUndefined()
})
