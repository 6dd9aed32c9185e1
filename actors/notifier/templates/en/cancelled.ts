import type { Template } from '../wording.ts'
import { facts, labelOf } from './facts.ts'

export const cancelled: Template = (subject) => ({
  title: subject.bookid
    ? `Your reservation of ${subject.bookid} is cancelled`
    : 'Your reservation is cancelled',
  body: ['Your reservation is cancelled. There is nothing more to do.'],
  short: `${labelOf(subject)}your reservation is cancelled.`,
  facts: facts(subject),
})
