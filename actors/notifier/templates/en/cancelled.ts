import type { Template } from '../wording.ts'
import { facts } from './facts.ts'

export const cancelled: Template = (subject) => ({
  title: `Your reservation of ${subject.bookid} is cancelled`,
  body: ['Your reservation is cancelled. There is nothing more to do.'],
  short: `${subject.bookid}: your reservation is cancelled.`,
  facts: facts(subject),
})
