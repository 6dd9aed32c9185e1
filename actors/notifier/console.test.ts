import pino from 'pino'
import { expect, test } from 'vitest'
import { BusyLines } from '../../platform/busy-lines.ts'
import { notice } from './channels/testing.ts'
import { printing } from './console.ts'

test('the console prints the original lines at once, with reservation, user, book and trace', () => {
  const written: { msg: string }[] = []
  let flushed = 0
  const destination = {
    write: (line: string) => written.push(JSON.parse(line)),
    flush: () => {
      flushed = written.length
    },
  }
  const log = pino({ base: undefined }, destination)
  const print = printing({ log, lines: new BusyLines({ log, perSecondMax: 10 }), now: () => new Date() })
  const kinds = ['reserved', 'cancelled', 'failed', 'purchase-requested', 'handed-over'] as const
  print(kinds.map((kind) => notice({ kind })))
  // A process that dies now has lost no line.
  expect(flushed).toBe(5)
  expect(written.map(({ msg }) => msg)).toEqual([
    '##### 예약 완료 되었습니다 #####',
    '##### 예약 취소 되었습니다 #####',
    '##### 예약 실패 하였습니다 #####',
    '##### 구매 요청 하였습니다 #####',
    '##### 수령 완료 되었습니다 #####',
  ])
  expect(written[0]).toMatchObject({
    reservationid: '01989d5e-1c2b-7abc-8def-0123456789ab',
    userid: 'test1',
    bookid: 'B1',
    trace_id: '0af7651916cd43dd8448eb211c80319c',
    span_id: 'b7ad6b7169203331',
  })
})
