import { match } from 'ts-pattern'
import type { Language } from './language.ts'

export const korean: Language = {
  code: 'ko',
  words: (subject) => ({
    ...match(subject.kind)
      .with('reserved', () => ({
        title: `[도서 예약] 예약이 완료되었습니다: ${subject.bookid}`,
        body: ['신청하신 도서의 예약이 완료되었습니다. 한 권이 준비되어 있습니다.'],
      }))
      .with('failed', () => ({
        title: `[도서 예약] 예약에 실패하였습니다: ${subject.bookid}`,
        body: [
          '신청하신 도서를 예약하지 못했습니다.',
          subject.reason === 'UnknownBook'
            ? '아직 소장하지 않은 도서입니다. 구매를 요청해 두었습니다.'
            : '현재 남아 있는 도서가 없습니다. 구매를 요청해 두었습니다.',
        ],
      }))
      .with('cancelled', () => ({
        title: `[도서 예약] 예약이 취소되었습니다: ${subject.bookid}`,
        body: ['예약이 취소되었습니다. 더 하실 일은 없습니다.'],
      }))
      .with('purchase-requested', () => ({
        title: `[도서 예약] 구매 요청: ${subject.bookid}`,
        body: [`재고가 없어 예약하지 못한 도서입니다. 부족 수량: ${subject.shortage}권.`],
      }))
      .exhaustive(),
    labels: { bookid: '도서', reservationid: '예약 번호', userid: '이용자' },
  }),
}
