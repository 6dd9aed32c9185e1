import { expect, test } from 'vitest'
import { pickupFile } from './calendar.ts'

const pickup = {
  id: '01a20646-76c0-7b29-af61-e9e4b5d9e512',
  name: 'Books',
  summary: 'Collect “Momo”',
  until: new Date('2026-12-03T09:00:00.000Z'),
  changed: new Date('2026-11-29T12:00:00.000Z'),
}

test('a calendar file has the deadline in UTC, and a reminder', () => {
  const lines = pickupFile(pickup).split('\r\n')
  expect(lines).toEqual(
    expect.arrayContaining(['DTSTART:20261203T090000Z', 'SUMMARY:Collect “Momo”', 'TRIGGER:-P1D']),
  )
  expect(lines.at(-2)).toBe('END:VCALENDAR')
})

test('its lines have at most 75 bytes, and their characters stay whole', () => {
  const summary = '『모모, 그리고 시간을 훔치는 도둑들; 또는 \\ 이상한 이야기』 찾아가기 📚'.repeat(3)
  const file = pickupFile({ ...pickup, summary })
  for (const line of file.split('\r\n')) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(75)
  const unfolded = file.replaceAll('\r\n ', '')
  expect(unfolded).toContain(`SUMMARY:${summary.replaceAll(/[\\;,]/g, (it) => `\\${it}`)}\r\n`)
})

test('a title cannot add lines', () => {
  expect(pickupFile({ ...pickup, summary: 'Momo\r\nATTENDEE:x\nY' })).toContain(
    'SUMMARY:Momo\\nATTENDEE:x\\nY\r\n',
  )
})
