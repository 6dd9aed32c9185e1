import type { Template } from '../wording.ts'
import { facts } from './facts.ts'

export const purchaseRequested: Template = (subject) => ({
  title: `[도서 예약] 구매 요청: ${subject.bookid}`,
  body: [`재고가 없어 예약하지 못한 도서입니다. 부족 수량: ${subject.shortage}권.`],
  short: `[도서 예약] ${subject.bookid}: 구매 요청, ${subject.shortage}권 부족.`,
  facts: facts(subject),
})
