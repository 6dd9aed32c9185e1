import type { Template } from '../wording.ts'
import { behind, facts, labelOf } from './facts.ts'

export const failed: Template = (subject) => ({
  title: `[도서 예약] 예약에 실패하였습니다${behind(subject)}`,
  body: ['신청하신 도서를 예약하지 못했습니다.', reasonOf(subject.reason)],
  short: `[도서 예약] ${labelOf(subject)}예약에 실패하였습니다(${shortReasonOf(subject.reason)}).`,
  facts: facts(subject),
})

const reasonOf = (reason: string | null) =>
  reason === 'UnknownBook'
    ? '아직 소장하지 않은 도서입니다. 구매를 요청해 두었습니다.'
    : '현재 남아 있는 도서가 없습니다. 구매를 요청해 두었습니다.'

const shortReasonOf = (reason: string | null) => (reason === 'UnknownBook' ? '미소장' : '재고 없음')
