import { expect, test } from 'vitest'
import { purchaseNoticeId, reservationNoticeId } from './notice.ts'

const reservationid = '019ac36e-7a41-7cc2-8f3a-5d0c7a1b2c3d'

test('noticeids never change', () => {
  expect(reservationNoticeId(reservationid, 'reserved', 'console')).toBe(
    '019ac36e-7a41-87a6-a67e-fc056112fa70',
  )
  expect(reservationNoticeId(reservationid, 'failed', 'person')).toBe('019ac36e-7a41-8203-b93c-ffb907e28d05')
  expect(reservationNoticeId(reservationid, 'cancelled', 'chat')).toBe('019ac36e-7a41-8032-9286-b103e600ff65')
  const early = '00000000-0000-4000-8000-000000000001'
  expect(reservationNoticeId(early, 'cancelled', 'console')).toBe('00000000-0000-829c-ac47-02974553cff1')
  expect(purchaseNoticeId('3/1764364364364-1/1', 'person')).toBe('6d795889-7c7a-8568-80ee-edcb14b21e4a')
})

test('they are UUIDs of version 8, of the variant of RFC 9562', () => {
  const ids = Array.from({ length: 200 }, (_, i) => [
    reservationNoticeId(crypto.randomUUID(), 'reserved', 'person'),
    purchaseNoticeId(`7/1764364364364-${i}/1`, 'chat'),
  ]).flat()
  for (const id of ids)
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(new Set(ids).size).toBe(ids.length)
})
