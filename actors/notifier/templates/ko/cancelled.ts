import type { Template } from '../wording.ts'
import { behind, facts, labelOf } from './facts.ts'

export const cancelled: Template = (subject) => ({
  title: `[도서 예약] 예약이 취소되었습니다${behind(subject)}`,
  body: ['예약이 취소되었습니다. 더 하실 일은 없습니다.'],
  short: `[도서 예약] ${labelOf(subject)}예약이 취소되었습니다.`,
  facts: facts(subject),
})
