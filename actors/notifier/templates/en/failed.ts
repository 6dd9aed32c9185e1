import type { Template } from '../wording.ts'
import { facts, labelOf } from './facts.ts'

export const failed: Template = (subject) => ({
  title: `Your reservation of ${subject.bookid ?? 'a book that we do not have'} failed`,
  body: ['We could not reserve the book for you.', reasonOf(subject.reason)],
  short: `${labelOf(subject)}your reservation failed (${shortReasonOf(subject.reason)}).`,
  facts: facts(subject),
})

const reasonOf = (reason: string | null) =>
  reason === 'UnknownBook'
    ? 'We do not have this book yet. The purchaser has been asked to buy it.'
    : 'No copy is free at the moment. The purchaser has been asked to buy more.'

const shortReasonOf = (reason: string | null) =>
  reason === 'UnknownBook' ? 'not in our stock' : 'no copy is free'
