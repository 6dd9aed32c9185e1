import { expect, test } from 'vitest'
import { notice } from './channels/testing.ts'
import { printing } from './console.ts'

test('the console prints the original lines, with reservation, user, book and trace', () => {
  const printed: [object, string][] = []
  let written = 0
  const print = printing({
    log: {
      info: (facts, text) => printed.push([facts, text]),
      flush: () => {
        written = printed.length
      },
    },
    lines: { add: (_, write) => write() },
    now: () => new Date(),
  })
  const kinds = ['reserved', 'cancelled', 'failed', 'purchase-requested', 'handed-over'] as const
  print(kinds.map((kind) => notice({ kind })))
  expect(written).toBe(5)
  expect(printed.map(([, text]) => text)).toEqual([
    '##### 예약 완료 되었습니다 #####',
    '##### 예약 취소 되었습니다 #####',
    '##### 예약 실패 하였습니다 #####',
    '##### 구매 요청 하였습니다 #####',
    '##### 수령 완료 되었습니다 #####',
  ])
  expect(printed[0]![0]).toMatchObject({
    reservationid: '01989d5e-1c2b-7abc-8def-0123456789ab',
    userid: 'test1',
    bookid: 'B1',
    trace_id: '0af7651916cd43dd8448eb211c80319c',
    span_id: 'b7ad6b7169203331',
  })
})
