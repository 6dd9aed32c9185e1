import { match } from 'ts-pattern'
import type { Language } from './language.ts'

export const english: Language = {
  code: 'en',
  words: (subject) => ({
    ...match(subject.kind)
      .with('reserved', () => ({
        title: `Your reservation of ${subject.bookid} succeeded`,
        body: ['A copy of the book has been set aside for you.'],
      }))
      .with('failed', () => ({
        title: `Your reservation of ${subject.bookid} failed`,
        body: [
          'We could not reserve the book for you.',
          subject.reason === 'UnknownBook'
            ? 'We do not have this book yet. The purchaser has been asked to buy it.'
            : 'No copy is free at the moment. The purchaser has been asked to buy more.',
        ],
      }))
      .with('cancelled', () => ({
        title: `Your reservation of ${subject.bookid} is cancelled`,
        body: ['Your reservation is cancelled. There is nothing more to do.'],
      }))
      .with('purchase-requested', () => ({
        title: `Please buy: ${subject.bookid}`,
        body: [`Reservations had to be refused for want of copies. Copies short: ${subject.shortage}.`],
      }))
      .exhaustive(),
    labels: { bookid: 'Book', reservationid: 'Reservation', userid: 'Customer' },
  }),
}
