import type { Template } from '../wording.ts'
import { facts } from './facts.ts'

export const reserved: Template = (subject) => ({
  title: `Your reservation of ${subject.bookid} succeeded`,
  body: ['A copy of the book has been set aside for you.'],
  short: `${subject.bookid}: your reservation succeeded.`,
  facts: facts(subject),
})
