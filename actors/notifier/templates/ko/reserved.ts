import type { Template } from '../wording.ts'
import { facts } from './facts.ts'

export const reserved: Template = (subject) => ({
  title: `[도서 예약] 예약이 완료되었습니다: ${subject.bookid}`,
  body: ['신청하신 도서의 예약이 완료되었습니다. 한 권이 준비되어 있습니다.'],
  short: `[도서 예약] ${subject.bookid}: 예약이 완료되었습니다.`,
  facts: facts(subject),
})
