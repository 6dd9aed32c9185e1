import type { Template } from '../wording.ts'
import { facts } from './facts.ts'

export const purchaseRequested: Template = (subject) => ({
  title: `Please buy: ${subject.bookid}`,
  body: [`Reservations had to be refused for want of copies. Copies short: ${subject.shortage}.`],
  short: `${subject.bookid}: please buy, ${subject.shortage} short.`,
  facts: facts(subject),
})
